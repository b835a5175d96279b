"""The pictures of the documents: ``python -m tests.pictures`` makes a site with a past and takes them in a browser."""
