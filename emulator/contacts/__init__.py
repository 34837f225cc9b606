"""The Google People API v1: contacts, their groups, and sync tokens over both.

Source: https://developers.google.com/people/api/rest
"""
