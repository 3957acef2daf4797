"""Neutron: the upstream eventlet server in one process.

Its own launcher would fork a worker for agents that do not exist; and under threaded uWSGI, the
distribution's way, its monkey patching deadlocks under load ("cannot switch to a different thread").
"""
import neutron.cmd.eventlet  # noqa: F401 (monkey patching comes first)
from neutron import server, service


def main():
    server.boot_server(lambda: service.serve_wsgi(service.NeutronApiService).wait())
