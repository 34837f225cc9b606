"""The Gmail API v1.

Source: https://developers.google.com/workspace/gmail/api/reference/rest
"""
