"""The site's settings. What differs between installations comes from the environment: see the table in README.md."""

from __future__ import annotations

from pathlib import Path

from django.urls import reverse_lazy

from poker_backend import environment

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.flag("DEBUG", False)
SECRET_KEY = environment.secret_key(DEBUG)

# Without a list the site answers to this machine's own names only.
ALLOWED_HOSTS = environment.names("ALLOWED_HOSTS", environment.LOOPBACK_HOSTS)
CSRF_TRUSTED_ORIGINS = environment.names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    # Before the admin and before the apps whose admin it extends, so that its templates are found first.
    "app_scheduler.apps.AppSchedulerConfig",
    "poker_backend.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_apscheduler",
    "import_export",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "poker_backend.urls"
WSGI_APPLICATION = "poker_backend.wsgi.application"
ASGI_APPLICATION = "poker_backend.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": environment.database(BASE_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Accounts

LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Language and time

LANGUAGE_CODE = environment.text("LANGUAGE_CODE", "en-us")
TIME_ZONE = environment.time_zone()
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = environment.flag("USE_TZ", True)

# Static files. Names with a hash need `collectstatic`, which neither development nor tests should.

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

# Uploads

DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# Security. A site that answers to this machine's own names only has no TLS in front of it to redirect to.

SECURE_SSL_REDIRECT = environment.flag(
    "SECURE_SSL_REDIRECT", not DEBUG and not environment.serves_only_this_machine(ALLOWED_HOSTS)
)
SECURE_PROXY_SSL_HEADER = environment.proxy_header()
SECURE_HSTS_SECONDS = environment.number("SECURE_HSTS_SECONDS", 3600 if SECURE_SSL_REDIRECT else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = environment.flag("SECURE_HSTS_PRELOAD", False)
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
X_FRAME_OPTIONS = "DENY"
# Whether every other site of the domain is on HTTPS for good is not this site's to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Mail

vars().update(environment.mail(DEBUG))
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "poker-backend@localhost")
SERVER_EMAIL = environment.text("SERVER_EMAIL", DEFAULT_FROM_EMAIL)
EMAIL_SUBJECT_PREFIX = "[Poker backend] "

# Logging: all of it to stderr, for the server's log. What a job logs is kept with its execution besides.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "style": "{",
            "format": "{asctime} {levelname:<7} {process} {threadName} {name}: {message}",
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.text("LOG_LEVEL", "INFO").upper()},
    "loggers": {
        # Django's own console handler would print each line a second time.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # A line per wake-up and per run: the history has them all.
        "apscheduler": {"level": "WARNING"},
    },
}

# REST API. Each view names its own permissions; one that forgets to admits no stranger.

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        *(["rest_framework.renderers.BrowsableAPIRenderer"] if DEBUG else []),
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Poker backend: scheduled jobs",
    "DESCRIPTION": "Build, change, run and review the scheduled jobs. What the API does, the admin's history shows.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    # The pages' scripts come from this site, not from somebody's network.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Import and export

IMPORT_EXPORT_USE_TRANSACTIONS = True
IMPORT_EXPORT_SKIP_ADMIN_LOG = False
IMPORT_EXPORT_SKIP_ADMIN_CONFIRM = False
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
IMPORT_EXPORT_ESCAPE_ILLEGAL_CHARS_ON_EXPORT = True
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.TempFolderStorage"
# Without these, whoever may see the list may import into it.
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "add"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"

# The console

APSCHEDULER_DATETIME_FORMAT = "N j, Y, H:i:s"
APP_SCHEDULER_EXECUTORS = {"processes": {"type": "processes", "max_workers": 4}}
vars().update(environment.console_settings())
APP_SCHEDULER_AUTOSTART = environment.flag("APP_SCHEDULER_AUTOSTART", True)
APP_SCHEDULER_LEASE_SECONDS = environment.number("APP_SCHEDULER_LEASE_SECONDS", 10, minimum=1)
APP_SCHEDULER_MAX_WORKERS = environment.number("APP_SCHEDULER_MAX_WORKERS", 10, minimum=1)

# Celery, where there is a broker: the executor “celery” sends executions to workers. See docs/architecture.md.

CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL")
CELERY_TASK_DEFAULT_QUEUE = "jobs"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker takes no more than it can begin at once: what waits behind a long run would wait although others are free.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# How long Celery waits for the result of a process that has ended before it gives its message back, in seconds.
CELERY_WORKER_LOST_WAIT = 3.0
# The site's own logging; what a run prints is kept with its execution.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
if CELERY_BROKER_URL:
    APP_SCHEDULER_EXECUTORS = {
        "celery": {"type": "celery", "app": "poker_backend.celery:app", "queue": CELERY_TASK_DEFAULT_QUEUE},
        **vars().get("APP_SCHEDULER_EXECUTORS", {}),
    }
