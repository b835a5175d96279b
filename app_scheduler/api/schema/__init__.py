"""The API described. Nothing here takes part in an answer; tests hold real answers against it."""
