/* SPDX-License-Identifier: Apache-2.0 */
/* rate.c - token buckets by name. */
#include "api/rate.h"

#include <pthread.h>

#include "base/map.h"
#include "base/own.h"

#define BUCKETS_MOST 4096

struct bucket {
    char *name;
    double left;
    int64_t at_ms;
};

struct rate {
    pthread_mutex_t lock;
    double per_ms, burst;
    struct map buckets;   /* lock */
    struct bucket shared; /* lock; for those who find no room */
};

struct rate *rate_new(double per_second, double burst)
{
    struct rate *rate = xcalloc(1, sizeof *rate);

    pthread_mutex_init(&rate->lock, NULL);
    rate->per_ms = per_second / 1000;
    rate->burst = burst;
    rate->buckets = (struct map)MAP_INIT_STR;
    rate->shared.left = burst;
    return rate;
}

void rate_set(struct rate *rate, double per_second, double burst)
{
    pthread_mutex_lock(&rate->lock);
    rate->per_ms = per_second / 1000;
    rate->burst = burst;
    pthread_mutex_unlock(&rate->lock);
}

static void bucket_free(struct bucket *bucket)
{
    if (bucket)
        free(bucket->name);
    free(bucket);
}

void rate_free(struct rate *rate)
{
    struct bucket *bucket;

    if (!rate)
        return;
    for (size_t i = 0; (bucket = map_next(&rate->buckets, &i));)
        bucket_free(bucket);
    map_fini(&rate->buckets);
    pthread_mutex_destroy(&rate->lock);
    free(rate);
}

static void refill(const struct rate *rate, struct bucket *bucket, int64_t now_ms)
{
    if (now_ms > bucket->at_ms)
        bucket->left += (double)(now_ms - bucket->at_ms) * rate->per_ms;
    bucket->left = bucket->left > rate->burst ? rate->burst : bucket->left;
    bucket->at_ms = now_ms;
}

/* Drop one whose owner has been quiet. */
static bool make_room(struct rate *rate, int64_t now_ms)
{
    struct bucket *bucket;

    for (size_t i = 0; (bucket = map_next(&rate->buckets, &i));) {
        refill(rate, bucket, now_ms);
        if (bucket->left < rate->burst)
            continue;
        map_del_str(&rate->buckets, bucket->name);
        bucket_free(bucket);
        return true;
    }
    return false;
}

static struct bucket *bucket_of(struct rate *rate, const char *name, int64_t now_ms)
{
    struct bucket *bucket = map_get_str(&rate->buckets, name);

    if (bucket)
        return bucket;
    if (rate->buckets.count >= BUCKETS_MOST && !make_room(rate, now_ms))
        return &rate->shared;
    bucket = xcalloc(1, sizeof *bucket);
    bucket->name = xstrdup(name);
    bucket->left = rate->burst;
    bucket->at_ms = now_ms;
    map_put_str(&rate->buckets, bucket->name, bucket);
    return bucket;
}

bool rate_take(struct rate *rate, const char *name, double cost, int64_t now_ms)
{
    struct bucket *bucket;
    bool left;

    pthread_mutex_lock(&rate->lock);
    if (rate->burst <= 0) {
        pthread_mutex_unlock(&rate->lock);
        return true;
    }
    bucket = bucket_of(rate, name, now_ms);
    refill(rate, bucket, now_ms);
    left = cost > 0 ? bucket->left >= cost : bucket->left >= 1;
    if (left)
        bucket->left -= cost;
    pthread_mutex_unlock(&rate->lock);
    return left;
}
