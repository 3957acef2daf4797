"""Horizon: the application that uWSGI serves."""
import os

os.environ['DJANGO_SETTINGS_MODULE'] = 'oslab.horizon_settings'
from django.core.wsgi import get_wsgi_application  # noqa: E402 (reads the settings)

application = get_wsgi_application()
