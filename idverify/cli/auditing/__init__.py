"""The auditor's commands: everything that checks a log from outside, with nothing but its key."""
