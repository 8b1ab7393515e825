/* Work on the pool: one promise per job, its failures, its cancellation, and a parallel loop inside it. */
#include "addon.h"

#include <pthread.h>
#include <sched.h>

static void execute(napi_env env, void *data) {
  (void)env;
  struct job *job = data;
  if (!job_stopped(job)) job->run(job);
}

static void complete(napi_env env, napi_status status, void *data) {
  struct job *job = data;
  napi_value value = NULL;
  if (status == napi_cancelled) fail_job(job, ECANCELED, "pool", NULL);
  if (job->error == 0) {
    value = job->finish == NULL ? undefined(env) : job->finish(env, job);
  }
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) {
    napi_get_and_clear_last_exception(env, &value);
    napi_reject_deferred(env, job->deferred, value);
  } else if (job->error != 0) {
    napi_reject_deferred(env, job->deferred, make_error(env, job->error, job->syscall_name, job->path));
  } else {
    napi_resolve_deferred(env, job->deferred, value);
  }
  if (job->cancel_ref != NULL) napi_delete_reference(env, job->cancel_ref);
  napi_delete_async_work(env, job->work);
  free(job->path);
  job->release(job);
}

napi_value start_job(napi_env env, struct job *job, const char *name, napi_value cancel) {
  napi_value promise, resource;
  if (cancel != NULL && !is_undefined(env, cancel)) {
    void *flag = NULL;
    size_t length = 0;
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, cancel, &type, &length, &flag, NULL, NULL) != napi_ok || length != 1) {
      napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a cancel flag is expected");
      job->release(job);
      return NULL;
    }
    job->cancel = flag;
    napi_create_reference(env, cancel, 1, &job->cancel_ref);
  }
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource);
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, NULL, resource, execute, complete, job, &job->work) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    if (job->cancel_ref != NULL) napi_delete_reference(env, job->cancel_ref);
    job->release(job);
    napi_throw_error(env, NULL, "the work could not be queued");
    return NULL;
  }
  return promise;
}

void fail_job(struct job *job, int error, const char *syscall_name, const char *path) {
  if (__atomic_exchange_n(&job->failed, 1, __ATOMIC_ACQ_REL) != 0) return;
  job->syscall_name = syscall_name;
  job->path = path == NULL ? NULL : strdup(path);
  __atomic_store_n(&job->error, error, __ATOMIC_RELEASE);
}

bool job_stopped(struct job *job) {
  if (__atomic_load_n(&job->failed, __ATOMIC_ACQUIRE) != 0) return true;
  if (job->cancel == NULL || *job->cancel == 0) return false;
  fail_job(job, ECANCELED, "cancel", NULL);
  return true;
}

struct loop {
  struct job *job;
  size_t count;
  size_t next; /* atomic */
  void (*body)(void *context, int worker, size_t index);
  void *context;
};

struct worker {
  struct loop *loop;
  int number;
  pthread_t thread;
};

/* Neighbours are claimed together because they mostly are in the same directory. */
enum { CLAIM = 8 };

static void *work_loop(void *data) {
  struct worker *worker = data;
  struct loop *loop = worker->loop;
  for (;;) {
    size_t first = __atomic_fetch_add(&loop->next, CLAIM, __ATOMIC_RELAXED);
    if (first >= loop->count) return NULL;
    size_t end = first + CLAIM < loop->count ? first + CLAIM : loop->count;
    for (size_t i = first; i < end; i++) {
      if (job_stopped(loop->job)) return NULL;
      loop->body(loop->context, worker->number, i);
    }
  }
}

int worker_count(size_t count) {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  size_t useful = (count + CLAIM - 1) / CLAIM;
  if (cores > MAX_WORKERS) cores = MAX_WORKERS;
  if ((size_t)cores > useful) cores = (int)useful;
  return cores < 1 ? 1 : cores;
}

void parallel(struct job *job, size_t count, void (*body)(void *context, int worker, size_t index), void *context) {
  struct loop loop = {.job = job, .count = count, .body = body, .context = context};
  struct worker workers[MAX_WORKERS];
  int wanted = worker_count(count);
  int started = 1;
  workers[0] = (struct worker){.loop = &loop};
  for (; started < wanted; started++) {
    workers[started] = (struct worker){.loop = &loop, .number = started};
    /* Without more threads the work is still done, by fewer. */
    if (pthread_create(&workers[started].thread, NULL, work_loop, &workers[started]) != 0) break;
  }
  work_loop(&workers[0]);
  for (int i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
}
