"""A function's signature ↔ form fields ↔ JSON arguments.

``signature_of(func)`` is the door. The parts below it read annotations (`hints`) and docstrings (`docstrings`), know
the types (`values`), keep JSON plain (`plain`), hold a call's `arguments` against the `parameters`, build form `fields`
(of `fieldtypes` and `widgets`) and hide secrets (`secrecy`).
"""

from __future__ import annotations

from app_scheduler.signature.function import FunctionSignature, signature_of
from app_scheduler.signature.parameters import NO_DEFAULT, Kind, Parameter
from app_scheduler.signature.secrecy import MASK

__all__ = ["MASK", "NO_DEFAULT", "FunctionSignature", "Kind", "Parameter", "signature_of"]
