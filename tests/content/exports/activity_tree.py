"""A SCORM 2004 manifest as the settings of scorm-again: what a platform does with the file, done for a test."""

from __future__ import annotations

from typing import Any

from lxml import etree

_YES = "true"


def activity_tree(manifest: bytes) -> dict[str, Any]:
    organization = next(etree.fromstring(manifest).iter("{*}organization"))
    return _activity(organization)


def _activity(element: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "id": element.get("identifier"),
        "title": element.find("{*}title").text,
        "isVisible": element.get("isvisible", _YES) == _YES,
        "children": [_activity(each) for each in element.findall("{*}item")],
    }
    sequencing = element.find("{*}sequencing")
    return settings if sequencing is None else settings | _sequencing(sequencing)


def _sequencing(element: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"sequencingControls": {}}
    for name in ("controlMode", "rollupRules"):
        found = element.find(f"{{*}}{name}")
        if found is not None:
            settings["sequencingControls"] |= {key: _value(value) for key, value in found.attrib.items()}
    rules = element.findall("{*}sequencingRules/{*}preConditionRule")
    settings["sequencingRules"] = {"preConditionRules": [_rule(each) for each in rules]}
    settings["rollupRules"] = {
        "rules": [
            {
                "action": each.find("{*}rollupAction").get("action"),
                "consideration": each.get("childActivitySet"),
                "conditions": [dict(one.attrib) for one in each.iter("{*}rollupCondition")],
            }
            for each in element.findall("{*}rollupRules/{*}rollupRule")
        ]
    }
    objectives = element.find("{*}objectives")
    if objectives is not None:
        settings["primaryObjective"] = _objective(objectives.find("{*}primaryObjective"))
        settings["objectives"] = [_objective(each) for each in objectives.findall("{*}objective")]
    controls = element.find("{*}deliveryControls")
    if controls is not None:
        settings["deliveryControls"] = {key: _value(value) for key, value in controls.attrib.items()}
    considered = element.find("{*}rollupConsiderations")
    if considered is not None:
        settings["rollupConsiderations"] = dict(considered.attrib)
    return settings


def _rule(element: Any) -> dict[str, Any]:
    conditions = element.find("{*}ruleConditions")
    return {
        "action": element.find("{*}ruleAction").get("action"),
        "conditionCombination": conditions.get("conditionCombination"),
        "conditions": [dict(each.attrib) for each in conditions],
    }


def _objective(element: Any) -> dict[str, Any]:
    minimum = element.find("{*}minNormalizedMeasure")
    return {
        "objectiveID": element.get("objectiveID"),
        "satisfiedByMeasure": element.get("satisfiedByMeasure") == _YES,
        "minNormalizedMeasure": None if minimum is None else float(minimum.text),
        "mapInfo": [
            {key: _value(value) for key, value in each.attrib.items()} for each in element.findall("{*}mapInfo")
        ],
    }


def _value(text: str) -> Any:
    if text in (_YES, "false"):
        return text == _YES
    try:
        return float(text)
    except ValueError:
        return text
