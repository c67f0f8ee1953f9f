/* SPDX-License-Identifier: Apache-2.0 */
/* learn.c - typical and high figures, and when to leave a thing alone. */
#include "sched/learn.h"

#include <math.h>

#include "base/json.h"
#include "base/own.h"

/* A mean over about the last 20: a site that got slower is believed within a day's boots. */
#define WEIGHT_MOST 20.0
/* The quantile followed: up by 19 steps when exceeded, down by one when not, so that it rests where
 * one in twenty exceeds it. */
#define QUANTILE 0.95

void learned_add(struct learned *learned, double value)
{
    double step;

    if (!(value >= 0) || !isfinite(value))
        return;
    if (learned->seen == 0) {
        *learned = (struct learned){ .mean = value, .high = value, .weight = 1, .seen = 1 };
        return;
    }
    learned->seen++;
    learned->weight = fmin(learned->weight + 1, WEIGHT_MOST);
    step = fmax(fabs(value - learned->mean), learned->mean / 20) / sqrt((double)learned->weight);
    learned->mean += (value - learned->mean) / learned->weight;
    if (value > learned->high)
        learned->high += fmin(value - learned->high, step * QUANTILE * 4);
    else
        learned->high -= fmin(learned->high - value, step * (1 - QUANTILE));
    learned->high = fmax(learned->high, learned->mean);
}

static int64_t as_ms(const struct learned *learned, double value)
{
    if (learned->seen == 0)
        return -1;
    return value < 1 ? 1 : value > 9e15 ? (int64_t)9e15 : llround(value);
}

int64_t learned_mean_ms(const struct learned *learned)
{
    return as_ms(learned, learned->mean);
}

int64_t learned_high_ms(const struct learned *learned)
{
    return as_ms(learned, learned->high);
}

int64_t learned_run_ms(const struct learned *run, int64_t walltime_ms,
                       const struct learned *const *parts, size_t count)
{
    if (run->seen)
        return learned_mean_ms(run);
    for (size_t i = 0; i < count && walltime_ms > 0; i++)
        if (parts[i]->seen)
            return (int64_t)((double)walltime_ms * fmin(parts[i]->mean / 1000, 1)) + 1;
    return -1;
}

int learned_put(const struct learned *learned, struct buf *out)
{
    return buf_printf(out, "{\"mean\":%.17g,\"high\":%.17g,\"weight\":%.17g,\"seen\":%lld}",
                      learned->mean, learned->high, learned->weight, (long long)learned->seen);
}

static int get_number(const json_t *object, const char *key, double *out, struct err *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value) || !isfinite(json_number_value(value)) ||
        json_number_value(value) < 0)
        return err_set(err, FAULT_INVALID, "%s: not a number from 0 on", key);
    *out = json_number_value(value);
    return 0;
}

int learned_parse(const char *text, struct learned *out, struct err *err)
{
    own_json json_t *object = json_parse(text, strlen(text), err);
    struct learned learned = { 0 };

    if (!object)
        return -1;
    if (get_number(object, "mean", &learned.mean, err) < 0 ||
        get_number(object, "high", &learned.high, err) < 0 ||
        get_number(object, "weight", &learned.weight, err) < 0 ||
        json_get_i64(object, "seen", 0, INT64_MAX, &learned.seen, err) < 0)
        return -1;
    *out = learned;
    return 0;
}

void breaker_fault(struct breaker *breaker, int64_t now_ms, bool at_once, const char *why)
{
    if (breaker->last_ms && now_ms - breaker->last_ms > BREAKER_FORGET_MS)
        *breaker = (struct breaker){ 0 };
    breaker->faults++;
    breaker->last_ms = now_ms;
    snprintf(breaker->why, sizeof breaker->why, "%s", why ? why : "");
    if (at_once || breaker->probing || breaker->opened || breaker->faults >= BREAKER_FAULTS) {
        int64_t span = BREAKER_FIRST_MS;

        for (int i = 0; i < breaker->opened && span < BREAKER_MOST_MS; i++)
            span *= 2;
        /* A fault of what was tried before it opened says nothing new. */
        if (breaker->open_until_ms > now_ms && !breaker->probing)
            return;
        breaker->open_until_ms = now_ms + (span < BREAKER_MOST_MS ? span : BREAKER_MOST_MS);
        breaker->opened++;
        breaker->probing = false;
    }
}

void breaker_success(struct breaker *breaker)
{
    *breaker = (struct breaker){ 0 };
}

bool breaker_allows(const struct breaker *breaker, int64_t now_ms)
{
    return breaker->open_until_ms == 0 || now_ms >= breaker->open_until_ms;
}

void breaker_try(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->open_until_ms == 0 || now_ms < breaker->open_until_ms)
        return;
    breaker->probing = true;
    breaker->open_until_ms = now_ms + BREAKER_MOST_MS;
}

int64_t breaker_closed_until(const struct breaker *breaker)
{
    return breaker->open_until_ms;
}

int breaker_put(const struct breaker *breaker, struct buf *out)
{
    if (buf_printf(out, "{\"faults\":%d,\"opened\":%d,\"open_until\":%lld,\"last\":%lld,\"why\":",
                   breaker->faults, breaker->opened, (long long)breaker->open_until_ms,
                   (long long)breaker->last_ms) < 0)
        return -1;
    return buf_put_json(out, breaker->why) < 0 ? -1 : buf_putc(out, '}');
}

int breaker_parse(const char *text, struct breaker *out, struct err *err)
{
    own_json json_t *object = json_parse(text, strlen(text), err);
    struct breaker breaker = { 0 };
    int64_t faults = 0, opened = 0;
    const char *why = "";

    if (!object)
        return -1;
    if (json_get_i64(object, "faults", 0, 1000000, &faults, err) < 0 ||
        json_get_i64(object, "opened", 0, 1000000, &opened, err) < 0 ||
        json_get_i64(object, "open_until", 0, INT64_MAX, &breaker.open_until_ms, err) < 0 ||
        json_get_i64(object, "last", 0, INT64_MAX, &breaker.last_ms, err) < 0 ||
        json_opt_str(object, "why", &why, err) < 0)
        return -1;
    breaker.faults = (int)faults;
    breaker.opened = (int)opened;
    snprintf(breaker.why, sizeof breaker.why, "%s", why);
    *out = breaker; /* a probe that was out when the broker died is simply tried again */
    return 0;
}
