"""`rollway doctor`: each part of an installation is looked at by a module of its own, and gives findings.

Nothing is written but reviews of rights, which the API server keeps nowhere. What the person who asks may not see is
`unseen`, never `wrong`.
"""

from __future__ import annotations

from rollway.cluster.doctor.examination import examine

__all__ = ["examine"]
