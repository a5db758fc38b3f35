"""The namespaces that packages use, and where an element belongs that stands in none.

Families: `1.2` and `2004`. Others' manifests mix them, misspell them or leave them out, so what an element *is* follows from
its local name in lower case and where it stands; namespaces only decide where that is not enough.
"""

from __future__ import annotations

from typing import Literal

Family = Literal["1.2", "2004"]

XML = "http://www.w3.org/XML/1998/namespace"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XINCLUDE = "http://www.w3.org/2001/XInclude"
IMSCP_12 = "http://www.imsproject.org/xsd/imscp_rootv1p1p2"
IMSCP_2004 = "http://www.imsglobal.org/xsd/imscp_v1p1"
ADLCP_12 = "http://www.adlnet.org/xsd/adlcp_rootv1p2"
ADLCP_2004 = "http://www.adlnet.org/xsd/adlcp_v1p3"
ADLSEQ = "http://www.adlnet.org/xsd/adlseq_v1p3"
ADLNAV = "http://www.adlnet.org/xsd/adlnav_v1p3"
IMSSS = "http://www.imsglobal.org/xsd/imsss"
IMSMD = "http://www.imsglobal.org/xsd/imsmd_rootv1p2p1"
LOM = "http://ltsc.ieee.org/xsd/LOM"
CMI5 = "https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd"
TINCAN = "http://projecttincan.com/tincan.xsd"
AICC = "urn:aicc:course-structure"
"""Of our own: what an AICC course says and the model has no field for, kept as elements."""

_PREFIXES: dict[Family, dict[str, str]] = {
    "1.2": {"adlcp": ADLCP_12, "imscp": IMSCP_12, "imsmd": IMSMD, "lom": IMSMD},
    "2004": {"adlcp": ADLCP_2004, "imscp": IMSCP_2004, "imsmd": LOM, "lom": LOM},
}
_PREFIXES_OF_BOTH = {
    "xml": XML,
    "xsi": XSI,
    "xi": XINCLUDE,
    "adlseq": ADLSEQ,
    "adlnav": ADLNAV,
    "imsss": IMSSS,
}
_HOMES: dict[Family, dict[str, str]] = {
    "1.2": {"location": ADLCP_12, "lom": IMSMD, "record": IMSMD},
    "2004": {
        "location": ADLCP_2004,
        "completionthreshold": ADLCP_2004,
        "data": ADLCP_2004,
        "lom": LOM,
        "sequencing": IMSSS,
        "sequencingcollection": IMSSS,
        "presentation": ADLNAV,
    },
}


def is_packaging(namespace: str) -> bool:
    """Whether manifests, organizations, items and resources may stand in it: IMS Content Packaging of any version, or none."""
    return not namespace or "imscp" in namespace or "imsproject.org" in namespace or "content-packaging" in namespace


def of_prefix(prefix: str, family: Family) -> str:
    """The namespace that a prefix without a declaration can only mean."""
    return _PREFIXES_OF_BOTH.get(prefix) or _PREFIXES[family].get(prefix) or f"urn:undeclared-prefix:{prefix}"


def home(local: str, family: Family) -> str:
    """The namespace of an element that stands in none, or in that of packaging where it does not belong; or empty."""
    return _HOMES[family].get(local, "")
