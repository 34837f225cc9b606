"""The Google Calendar API v3: calendars, events that people share, sync tokens and channels.

Source: https://developers.google.com/workspace/calendar/api/v3/reference
"""
