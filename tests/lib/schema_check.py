#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""schema_check.py SCHEMA - hold verdicts of the parser against a JSON Schema.

Reads lines of JSON from standard input: {"name", "good", "cannot_tell", "document"}.  What the parser took
the schema must take; what it refused the schema must refuse, but for what no schema can express, which
is marked and must then be taken.  Prints each disagreement; the status is 1 when there was any.
"""
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)

seen = wrong = 0
for line in sys.stdin:
    case = json.loads(line)
    fault = jsonschema.exceptions.best_match(validator.iter_errors(case["document"]))
    wanted = case["good"] or case["cannot_tell"]
    seen += 1
    if wanted != (fault is None):
        wrong += 1
        print(f"# {case['name']}: the parser {'takes' if case['good'] else 'refuses'} it, the schema "
              + (f"does not: {fault.message[:200]}" if fault else "takes it"))
print(f"# {seen} documents, {wrong} disagreements")
sys.exit(1 if wrong or not seen else 0)
