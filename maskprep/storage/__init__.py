"""Object stores: S3 and what speaks its language, Google Cloud Storage.

    s3://bucket/key ─▶ urls ─▶ connect ─▶ Remote: whole objects   (what a build writes)
                                        └ RemoteFile: any bytes   (what a build reads)

There is no rename and there are no folders in such a store, but an object appears whole or not at all. pyarrow is
imported once a URL is used, not before.
"""

from maskprep.storage.remote import Remote
from maskprep.storage.remote_file import RemoteFile
from maskprep.storage.urls import is_remote

__all__ = ["Remote", "RemoteFile", "is_remote"]
