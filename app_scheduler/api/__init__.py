"""The console's HTTP API: a door, like the admin. It parses, checks permission, calls one service, and reports."""
