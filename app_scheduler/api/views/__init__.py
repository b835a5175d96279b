"""The API's views, by what they are about."""
