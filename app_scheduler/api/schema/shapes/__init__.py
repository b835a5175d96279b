"""What is sent and shown, as serializers, by what it is about.

They check nothing and show nothing: a job's document is checked by ``documents`` and shown by ``representations``.
"""
