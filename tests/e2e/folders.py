"""Folders in which the processes of a test have written."""
import shutil
import time

SOON = 30  # seconds: for a busy machine


def remove(folder):
    """Receivers end after their senders, and may still write there."""
    limit = time.monotonic() + SOON
    while True:
        try:
            shutil.rmtree(folder)
            return
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)
