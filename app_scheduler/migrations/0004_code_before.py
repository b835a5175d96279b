from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("app_scheduler", "0003_held_ticks"),
    ]

    operations = [
        migrations.AddField(
            model_name="jobspec",
            name="code_before",
            field=models.JSONField(
                blank=True,
                default=dict,
                editable=False,
                help_text="By field, what the code asked for before it asked for something else than staff had chosen.",
            ),
        ),
    ]
