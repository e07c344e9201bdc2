"""Turns every SAM template of a folder into plain CloudFormation, with AWS's own translator.

    translate.py FOLDER OUTPUT    NAME.yaml -> OUTPUT/NAME.json; what the translator refuses -> OUTPUT/NAME.refused
    translate.py --facts          policy templates and connectors, as src/template/sam has them
"""

import json
import logging
import os
import pathlib
import sys

logging.disable()
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

import samtranslator
from samtranslator.model.exceptions import ExceptionWithMessage, InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoPolicies:
    """Looks nothing up in an account."""

    def load(self):
        return {}


def translate(path):
    return transform(yaml_parse(path.read_text()), {}, NoPolicies())


def facts():
    def text(value):
        if isinstance(value, dict):
            if list(value) == ["Fn::Sub"]:
                sub = value["Fn::Sub"]
                if isinstance(sub, str):
                    return sub
                result, names = sub
                for name, ref in names.items():
                    result = result.replace("${%s}" % name, "${%s}" % ref["Ref"])
                return result
            if list(value) == ["Ref"]:
                return "${%s}" % value["Ref"]
            return {key: text(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [text(inner) for inner in value]
        return value

    root = pathlib.Path(samtranslator.__file__).parent
    templates = json.loads((root / "policy_templates_data/policy_templates.json").read_text())["Templates"]
    policies = {
        name: {"Parameters": sorted(one["Parameters"]), "Statement": text(one["Definition"]["Statement"])}
        for name, one in templates.items()
    }
    profiles = json.loads((root / "model/connector_profiles/profiles.json").read_text())["Permissions"]
    connectors = {
        f"{source} {destination}": {
            "Type": one["Type"],
            "SourcePolicy": one["Properties"]["SourcePolicy"],
            "AccessCategories": one["Properties"]["AccessCategories"],
        }
        for source, destinations in profiles.items()
        for destination, one in destinations.items()
    }
    return {"policies": policies, "connectors": connectors}


if sys.argv[1] == "--facts":
    print(json.dumps(facts()))
    sys.exit()

folder, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
output.mkdir(parents=True, exist_ok=True)
for old in output.iterdir():
    old.unlink()
for path in sorted(folder.glob("*.yaml")):
    try:
        plain = translate(path)
    except (InvalidDocumentException, ExceptionWithMessage) as error:
        causes = [cause.message for cause in getattr(error, "causes", [])] or [str(error)]
        (output / f"{path.stem}.refused").write_text("\n".join(causes))
        continue
    (output / f"{path.stem}.json").write_text(json.dumps(plain, indent=1))
print(len(list(output.glob("*.json"))), "translated")
