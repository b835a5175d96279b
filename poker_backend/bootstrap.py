"""Prepare the site's database for `make run`: apply the migrations, and see that somebody can log in.

Run as ``python -m poker_backend.bootstrap``. The account comes from the variables that ``createsuperuser`` reads:
DJANGO_SUPERUSER_USERNAME (default admin), DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD. A password that is
given is set whenever it differs; without one, a new account gets one made up, which is printed this once. An account
that exists already is otherwise left as it is: what staff changed stays changed.
"""

from __future__ import annotations

import os
import secrets
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poker_backend.settings")
    try:
        django.setup()
    except ImproperlyConfigured as error:
        sys.exit(f"The site is not configured. {error}")
    call_command("migrate", interactive=False, verbosity=0)
    ensure_superuser()


def ensure_superuser() -> None:
    """Create or update the account that the environment names, and say on stdout what was done."""
    from django.contrib.auth.models import User

    username = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
    given = os.environ.get("DJANGO_SUPERUSER_PASSWORD") or ""
    email = os.environ.get("DJANGO_SUPERUSER_EMAIL") or ""

    user = User.objects.filter(username=username).first()
    if user is None:
        password = given or secrets.token_urlsafe(12)
        User.objects.create_superuser(username, email, password)
        shown = "the password from DJANGO_SUPERUSER_PASSWORD" if given else f"password: {password}"
        print(f"Created the superuser {username}, {shown}", flush=True)
    elif given and not user.check_password(given):
        user.set_password(given)
        user.save(update_fields=["password"])
        print(f"Set the password of {username} to the one from DJANGO_SUPERUSER_PASSWORD", flush=True)


if __name__ == "__main__":
    main()
