"""The console's HTTP API."""

from __future__ import annotations

from django.urls import path, re_path

from app_scheduler.api.views import blackouts, console, executions, failures, groups, jobs, pages

app_name = "api"

urlpatterns = [
    path("", pages.Index.as_view(), name="index"),
    path("jobs/", jobs.JobList.as_view(), name="jobs"),
    path("jobs/<str:id>/", jobs.JobDetail.as_view(), name="job"),
    path("jobs/<str:id>/run/", jobs.JobRun.as_view(), name="job-run"),
    path("jobs/<str:id>/pause/", jobs.JobPause.as_view(), name="job-pause"),
    path("jobs/<str:id>/resume/", jobs.JobResume.as_view(), name="job-resume"),
    path("jobs/<str:id>/skip-next/", jobs.JobSkipNext.as_view(), name="job-skip-next"),
    path("jobs/<str:id>/unskip/", jobs.JobUnskip.as_view(), name="job-unskip"),
    path("jobs/<str:id>/upcoming/", jobs.JobUpcoming.as_view(), name="job-upcoming"),
    path("jobs/<str:id>/explain/", jobs.JobExplain.as_view(), name="job-explain"),
    path("jobs/<str:id>/code/", jobs.JobCode.as_view(), name="job-code"),
    path("jobs/<str:id>/revert/", jobs.JobRevert.as_view(), name="job-revert"),
    path("blackouts/", blackouts.BlackoutList.as_view(), name="blackouts"),
    path("blackouts/<str:id>/", blackouts.BlackoutDetail.as_view(), name="blackout"),
    path("executions/", executions.ExecutionList.as_view(), name="executions"),
    path("executions/<str:id>/", executions.ExecutionDetail.as_view(), name="execution"),
    path("executions/<str:id>/retry/", executions.ExecutionRetry.as_view(), name="execution-retry"),
    path("executions/<str:id>/cancel/", executions.ExecutionCancel.as_view(), name="execution-cancel"),
    path("executions/<str:id>/acknowledge/", executions.ExecutionAcknowledge.as_view(), name="execution-acknowledge"),
    path("failures/", failures.FailureList.as_view(), name="failures"),
    path("failures/acknowledge/", failures.FailuresAcknowledge.as_view(), name="failures-acknowledge"),
    path("failures/snooze/", failures.FailuresSnooze.as_view(), name="failures-snooze"),
    path("failures/reopen/", failures.FailuresReopen.as_view(), name="failures-reopen"),
    path("failures/retry/", failures.FailuresRetry.as_view(), name="failures-retry"),
    path("failures/<str:id>/", failures.FailureDetail.as_view(), name="failure"),
    path("failures/<str:id>/acknowledge/", failures.FailureAcknowledge.as_view(), name="failure-acknowledge"),
    path("failures/<str:id>/snooze/", failures.FailureSnooze.as_view(), name="failure-snooze"),
    path("failures/<str:id>/reopen/", failures.FailureReopen.as_view(), name="failure-reopen"),
    path("failures/<str:id>/retry/", failures.FailureRetry.as_view(), name="failure-retry"),
    path("groups/", groups.GroupList.as_view(), name="groups"),
    path("groups/<str:name>/", groups.GroupDetail.as_view(), name="group"),
    path("functions/", console.FunctionList.as_view(), name="functions"),
    path("triggers/preview/", console.TriggerPreview.as_view(), name="preview"),
    path("upcoming/", console.Upcoming.as_view(), name="upcoming"),
    path("scheduler/", console.SchedulerView.as_view(), name="scheduler"),
    path("scheduler/pause/", console.SchedulerPause.as_view(), name="scheduler-pause"),
    path("scheduler/resume/", console.SchedulerResume.as_view(), name="scheduler-resume"),
    path("scheduler/instances/<str:id>/drain/", console.InstanceDrain.as_view(), name="instance-drain"),
    path("scheduler/instances/<str:id>/resume/", console.InstanceResume.as_view(), name="instance-resume"),
    path("schema/", pages.Schema.as_view(), name="schema"),
    path("docs/", pages.Docs.as_view(), name="docs"),
    re_path(r"^(?P<path>[\s\S]*)\Z", pages.Nowhere.as_view(), name="nowhere"),
]
