"""The work behind the shipped jobs, as plain functions that a shell or a test calls alike."""
