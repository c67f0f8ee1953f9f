# SPDX-License-Identifier: Apache-2.0
# 0310-cron-croniter.t - coming times agree with croniter where a line means the same to both
. "${0%/*}/../lib/spillway.sh"

/usr/bin/python3 -c 'import croniter' 2>/dev/null ||
    skip_all "python3-croniter is not installed; apt-get install python3-croniter brings it"

# What differs is left out here and listed in docs/schedules.md: steps of '*' in the day beside a
# weekday, L-n, W, and the hours around a change of the clock (croniter is asked without a zone).
cat >"$T/compare.py" <<'PY'
import datetime, json, random, subprocess, sys
from croniter import croniter

random.seed(7)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()
FIELDS = [(0, 59, None), (0, 23, None), (1, 31, None), (1, 12, MONTHS), (0, 6, DAYS)]


def value(field, number):
    least, _, names = FIELDS[field]
    return names[number - least] if names and random.random() < 0.5 else str(number)


def part(field):
    least, most, _ = FIELDS[field]
    low = random.randint(least, most)
    high = random.randint(low, most)
    step = random.randint(1, max(1, (most - least) // 2))
    forms = [value(field, low), f"{low}-{high}", f"{low}-{high}/{step}", f"{low}/{step}"]
    if field not in (2, 4):
        forms.append(f"*/{step}")
    return random.choice(forms)


def line():
    fields = []
    for field in range(5):
        if random.random() < (0.5 if field in (2, 3, 4) else 0.25):
            fields.append("*")
        else:
            fields.append(",".join(part(field) for _ in range(random.choice((1, 1, 2, 3)))))
    if fields[4] == "*" and random.random() < 0.2:
        fields[2] = "L"
    if fields[2] == "*" and random.random() < 0.3:
        fields[4] = random.choice(DAYS) + "#" + str(random.randint(1, 4))
    if fields[2] == "*" and random.random() < 0.1:
        fields[4] = "L" + str(random.randint(0, 6))
    return " ".join(fields)


def is_odd(text):
    """croniter takes a list that names every day for '*': docs/schedules.md, "Compared"."""
    fields, sets = text.split(), croniter.expand(text)[0]
    return any(sets[i] == ["*"] and fields[i] != "*" for i in (2, 4))


def theirs(text, begin, count):
    at = croniter(text, begin.replace(tzinfo=None))
    return [at.get_next(datetime.datetime).isoformat() + "Z" for _ in range(count)]


def ours(text, begin, count):
    words = ["spillway", "schedule", "next", "--json", "-n", str(count), "--from",
             begin.isoformat(), "--", text]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{text}: {done.stderr}")
    return [entry["time"] for entry in json.loads(done.stdout)]


begin = datetime.datetime(2026, 11, 24, 5, 45, tzinfo=datetime.timezone.utc)
compared, wrong = 0, 0
for _ in range(int(sys.argv[1])):
    text = line()
    try:
        if is_odd(text):
            continue
        want = theirs(text, begin, 20)
    except Exception:
        continue  # it never fires, or croniter does not look far enough
    compared += 1
    got = ours(text, begin, 20)
    if got != want:
        wrong += 1
        print(f"'{text}'\n  ours:   {got[:4]}\n  theirs: {want[:4]}")
print(f"{compared} lines compared, {wrong} differ")
sys.exit(1 if wrong or not compared else 0)
PY
ok "300 random lines give the same times as croniter" '/usr/bin/python3 "$T/compare.py" 300'

done_testing
