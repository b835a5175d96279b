"""A function's signature ↔ form fields ↔ JSON arguments.

``signature_of(func)`` is the door: the parts below it read annotations (`hints`), know the types (`values`), keep JSON
plain (`plain`), build form fields (`fields`) and hide secrets (`secrecy`).
"""

from __future__ import annotations

from app_scheduler.signature.function import FunctionSignature, signature_of
from app_scheduler.signature.parameters import NO_DEFAULT, Kind, Parameter
from app_scheduler.signature.secrecy import MASK

__all__ = ["MASK", "NO_DEFAULT", "FunctionSignature", "Kind", "Parameter", "signature_of"]
