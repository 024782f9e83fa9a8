// SPDX-License-Identifier: Apache-2.0
/*
 * A worker that has been taken over: sealed like any other, then does whatever the test orders.
 *
 * It runs under the memory backend's own profile and keeps to its calls until an order says
 * otherwise, so what is tried is tried from inside a real worker's confinement.
 */
#include "api/worker/seal.h"
#include "tests/attack/order.h"
#include "util/fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct order thread_order;
static bool thread_started, thread_has_order;

/* libc's syscall() would turn a failure into errno, and the seventh register is not needed. */
static int64_t call(const struct order *o)
{
	const uint64_t *a = o->arguments;
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(o->number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static int64_t call_int80(const struct order *o)
{
	int64_t result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(o->number), "b"(o->arguments[0]), "c"(o->arguments[1])
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void *second_thread(void *unused)
{
	pthread_mutex_lock(&lock);
	thread_started = true;
	pthread_cond_broadcast(&changed);
	while (!thread_has_order)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	call(&thread_order);
	/* Not killed: the test waits for an end that is SIGSYS, and gets this one. */
	_exit(3);
}

/*
 * Comes back when the thread is past all that libc does at its start, which the filter would not
 * allow.
 */
static int start_thread(void *unused)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, second_thread, NULL);

	if (r != 0)
		return -r;
	pthread_mutex_lock(&lock);
	while (!thread_started)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void order_thread(const struct order *o)
{
	pthread_mutex_lock(&lock);
	thread_order = *o;
	thread_has_order = true;
	pthread_cond_broadcast(&changed);
	/*
	 * Waits for what cannot come: either the thread's end is this one's too, or it ends both.
	 */
	for (;;)
		pthread_cond_wait(&changed, &lock);
}

static int64_t open_root(void)
{
	return call(&(struct order){
		.number = SYS_openat,
		.arguments = { (uint64_t)AT_FDCWD, (uintptr_t)"/", O_RDONLY | O_DIRECTORY } });
}

static int64_t obey(const struct order *o)
{
	switch (o->kind) {
	case ORDER_SYSCALL:
		return call(o);
	case ORDER_INT80:
		return call_int80(o);
	case ORDER_THREAD_SYSCALL:
		order_thread(o);
		return 0;
	case ORDER_OUTLIVE:
		return prctl(PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL);
	case ORDER_OPEN_ROOT:
		return open_root();
	case ORDER_EXIT:
		_exit((int)o->arguments[0]);
	default:
		return 0;
	}
}

/* Until the tests close, and then for the next one: a worker outlives its supervisor. */
static void serve(int control)
{
	struct order order;

	while (fd_recv_exact(control, &order, sizeof(order), NULL, 0, NULL, 0) == 0) {
		struct answer answer = { .result = obey(&order) };

		if (fd_send(control, &answer, sizeof(answer), NULL, 0, 0) < 0)
			break;
	}
	close(control);
}

int main(void)
{
	static const struct seal seal = {
		.lock_memory = true,
		.nofile_max = 16,
		.listen = true,
		.start_threads = start_thread,
	};

	seal_enter();
	seal_finish(&seal);
	for (;;) {
		int control = accept4(CONFINE_FD_LINK, NULL, NULL, SOCK_CLOEXEC);

		if (control < 0)
			_exit(4);
		serve(control);
	}
}
