"""Tests of the dialogs behind the config flow."""
