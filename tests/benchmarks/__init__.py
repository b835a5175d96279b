"""The console's speed beside plain django-apscheduler's and that of APScheduler's store in memory.

``make bench`` runs it; docs/performance.md says what is measured and how.
"""
