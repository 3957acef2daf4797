"""run.py [+preload.module] package.module:function ARGUMENTS: starts a program of an OpenStack library.

The packages that bring /usr/bin/nova-api and its like also bring daemons and users; we install the libraries alone.
"""
import importlib
import sys

arguments = sys.argv[1:]
if arguments[0].startswith('+'):
    importlib.import_module(arguments.pop(0)[1:])
module, function = arguments[0].split(':')
sys.argv = ['-'.join([module.split('.')[0], module.split('.')[-1]])] + arguments[1:]
sys.exit(getattr(importlib.import_module(module), function)())
