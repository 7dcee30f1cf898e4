"""The app's label, which prefixes its tables."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "tests.live.django_app"
    label = "live"
    default_auto_field = "django.db.models.BigAutoField"
