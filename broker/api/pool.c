/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - threads and a bounded queue. */
#include "api/pool.h"

#include <pthread.h>

#include "base/own.h"

#define THREADS_MOST 16

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    void **queue; /* lock; a ring */
    int room, first, count;
    bool stop; /* lock */
    pool_run *run;
    int thread_count;
    pthread_t threads[THREADS_MOST];
};

static void *next_item(struct pool *pool)
{
    void *item = NULL;

    pthread_mutex_lock(&pool->lock);
    while (pool->count == 0 && !pool->stop)
        pthread_cond_wait(&pool->more, &pool->lock);
    if (pool->count > 0) {
        item = pool->queue[pool->first];
        pool->first = (pool->first + 1) % pool->room;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return item;
}

static void *serve(void *arg)
{
    struct pool *pool = arg;
    void *item;

    while ((item = next_item(pool)))
        pool->run(item);
    return NULL;
}

struct pool *pool_new(int threads, int queue_most, pool_run *run)
{
    struct pool *pool = xcalloc(1, sizeof *pool);

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    pool->queue = xcalloc((size_t)queue_most, sizeof *pool->queue);
    pool->room = queue_most;
    pool->run = run;
    for (int i = 0; i < threads && i < THREADS_MOST; i++)
        if (pthread_create(&pool->threads[pool->thread_count], NULL, serve, pool) == 0)
            pool->thread_count++;
    pthread_mutex_lock(&pool->lock); /* the threads read it */
    pool->stop = pool->thread_count == 0;
    pthread_mutex_unlock(&pool->lock);
    return pool;
}

bool pool_put(struct pool *pool, void *item)
{
    bool room;

    pthread_mutex_lock(&pool->lock);
    room = !pool->stop && pool->count < pool->room;
    if (room)
        pool->queue[(pool->first + pool->count++) % pool->room] = item;
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    return room;
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pool->thread_count = 0;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pool_stop(pool);
    free(pool->queue);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
