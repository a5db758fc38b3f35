"""A small package of our own with sequencing, for pictures: three items, each opened by the one before."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from tests.content.scorm.packages import zip_of

TITLES = ("Birds of prey", "How they hunt", "What you know now")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 1.1rem/1.6 Georgia, serif; margin: 2rem; color: #23324a }} h1 {{ color: #7a3b12 }}
svg {{ width: 100%; max-width: 34rem; background: linear-gradient(#bfe0f5, #f4ead2); border-radius: 1rem }}
button {{ font: inherit; padding: .4rem 1rem }}</style>
<h1>{title}</h1>
<svg viewBox="0 0 340 150" role="img" aria-label="A kite in the air"><path d="M20 80 Q90 20 165 70 Q240 20 320 80
 Q250 65 190 95 L180 125 L165 108 L150 125 L142 95 Q90 65 20 80Z" fill="#6b3f1d"/><path d="M165 70 l8 -8 l6 5z" fill="#f0b429"/></svg>
<p>A kite hangs in the wind and steers with its forked tail. It sees a mouse from a hundred metres.</p>
<button onclick="done()">I have read this</button>
<script>
const api = parent.API_1484_11; api.Initialize("");
if (api.GetValue("cmi.completion_status") === "unknown") api.SetValue("cmi.completion_status", "incomplete");
function done() {{ api.SetValue("cmi.completion_status", "completed"); api.SetValue("cmi.success_status", "passed"); api.Commit(""); }}
addEventListener("pagehide", () => {{ api.SetValue("cmi.exit", "suspend"); api.Terminate(""); }});
</script></html>"""
_BEFORE = """<imsss:sequencingRules><imsss:preConditionRule><imsss:ruleConditions conditionCombination="any">
<imsss:ruleCondition referencedObjective="before" operator="not" condition="satisfied"/>
<imsss:ruleCondition referencedObjective="before" operator="not" condition="objectiveStatusKnown"/>
</imsss:ruleConditions><imsss:ruleAction action="disabled"/></imsss:preConditionRule></imsss:sequencingRules>"""


def birds(folder: Path) -> Path:
    """The zip, in that folder."""
    items = "".join(_item(number, title) for number, title in enumerate(TITLES))
    resources = "".join(
        f'<resource identifier="r{number}" type="webcontent" adlcp:scormType="sco" href="page{number}.html"/>'
        for number in range(len(TITLES))
    )
    manifest = f"""<?xml version="1.0"?><manifest identifier="birds" xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"
 xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_v1p3" xmlns:imsss="http://www.imsglobal.org/xsd/imsss">
<metadata><schema>ADL SCORM</schema><schemaversion>2004 3rd Edition</schemaversion></metadata>
<organizations default="o"><organization identifier="o"><title>Birds</title>{items}
<imsss:sequencing><imsss:controlMode choice="true" flow="true"/></imsss:sequencing></organization></organizations>
<resources>{resources}</resources></manifest>"""
    pages = {f"page{number}.html": _PAGE.format(title=escape(title)) for number, title in enumerate(TITLES)}
    path = folder / "birds.zip"
    path.write_bytes(zip_of({"imsmanifest.xml": manifest, **pages}))
    return path


def _item(number: int, title: str) -> str:
    """Satisfied, it says so to the next one; and it waits for the one before."""
    own = f'<imsss:primaryObjective objectiveID="own"><imsss:mapInfo targetObjectiveID="done{number}" writeSatisfiedStatus="true"/></imsss:primaryObjective>'
    before = (
        f'<imsss:objective objectiveID="before"><imsss:mapInfo targetObjectiveID="done{number - 1}"/></imsss:objective>'
    )
    rules, objectives = (_BEFORE, own + before) if number else ("", own)
    delivery = '<imsss:deliveryControls completionSetByContent="true" objectiveSetByContent="true"/>'
    return (
        f'<item identifier="i{number}" identifierref="r{number}"><title>{escape(title)}</title>'
        f"<imsss:sequencing>{rules}<imsss:objectives>{objectives}</imsss:objectives>{delivery}</imsss:sequencing></item>"
    )
