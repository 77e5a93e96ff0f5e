// SPDX-License-Identifier: MIT
/*
 * Runs the tests in a process: a fresh small machine for each.
 *
 * With --jobs the tests are dealt out to that many child processes; what a child's failing test printed comes
 * out whole. A child that dies is a failed test, and the rest of its share goes to another child.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "hosted.h"

struct options {
	const char *patterns[64];
	unsigned int patterns_nr;
	unsigned int jobs;
	bool list, verbose;
};

/* A race fails the test it shows in, at once: the process dies, and its parent says which test it was. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:report_signal_unsafe=0";
}

/* Shared with the children. */
struct shared {
	unsigned int next;
	struct test_counts counts;
	char running[64][128];
	unsigned int running_index[64];
};

static struct shared *shared;
static char output[1 << 20]; /* of the running test, shown if it fails */
static size_t output_used;

static bool keep_output(const char *text, size_t len)
{
	if (test_capture(text, len))
		return true;
	len = min(len, sizeof(output) - output_used);
	memcpy(output + output_used, text, len);
	output_used += len;
	return true;
}

static void show_output(void)
{
	for (size_t at = 0; at < output_used;) {
		ssize_t put = write(STDOUT_FILENO, output + at, output_used - at);

		if (put <= 0)
			break;
		at += (size_t)put;
	}
	output_used = 0;
}

static void show_output_before_death(const char *why)
{
	(void)why;
	show_output();
}

/* A sanitizer's own handler, if there is one, has more to say afterwards. */
static struct sigaction crash_before[NSIG];

static void on_crash(int number)
{
	show_output();
	dprintf(STDOUT_FILENO, "died of signal %d (%s)\n", number, strsignal(number));
	sigaction(number, &crash_before[number], NULL); /* the instruction runs again, and faults again */
}

/* A test that hangs has failed: the others go on. Seconds, at full effort; the whole of a suite has run.sh's limit. */
#define HANGS_AFTER 200u

static void on_hang(int number)
{
	static const char line[] = "it hangs\n";

	(void)number;
	show_output();
	_exit(write(STDOUT_FILENO, line, sizeof(line) - 1) < 0 ? 4 : 3);
}

static void catch_crashes(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction action = { .sa_handler = on_crash };

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, &crash_before[numbers[i]]);
	signal(SIGALRM, on_hang);
}

static bool wanted(const struct test_case *t, const struct options *o)
{
	for (unsigned int i = 0; i < o->patterns_nr; i++)
		if (test_matches(t, o->patterns[i]))
			return true;
	return !o->patterns_nr;
}

static void progress(const struct test_case *t, unsigned int of)
{
	unsigned int done = shared->counts.passed + shared->counts.failed + shared->counts.skipped;

	if (!isatty(STDOUT_FILENO))
		return;
	dprintf(STDOUT_FILENO, "\r\033[K[%u/%u] %s.%s", done + 1, of, t->suite, t->name);
}

static enum test_outcome run_one(const struct test_case *t, const struct options *o)
{
	static const struct hosted_options machine = { 0 };
	struct hosted_options options = machine;
	enum test_outcome outcome;
	struct timespec begin, end;
	double ms;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	output_used = 0;
	options.seed = test_seed;
	if (hosted_boot_default(&options)) {
		show_output();
		dprintf(STDOUT_FILENO, "FAIL %s.%s: the tests' machine does not boot\n", t->suite, t->name);
		return TEST_FAILED;
	}
	output_used = 0;
	alarm(HANGS_AFTER * (unsigned int)(max(test_effort, 100u) / 100));
	outcome = test_run_case(t);
	alarm(0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
	if (outcome != TEST_PASSED && isatty(STDOUT_FILENO))
		dprintf(STDOUT_FILENO, "\r\033[K");
	if (outcome != TEST_PASSED)
		show_output();
	if (o->verbose)
		dprintf(STDOUT_FILENO, "%9.2f ms  %s.%s\n", ms, t->suite, t->name);
	return outcome;
}

static void count(enum test_outcome outcome)
{
	__atomic_fetch_add(outcome == TEST_PASSED   ? &shared->counts.passed :
			   outcome == TEST_FAILED ? &shared->counts.failed :
						      &shared->counts.skipped,
			   1, __ATOMIC_RELAXED);
}

/* Takes tests from the common heap until there are none. */
static void work(const struct options *o, unsigned int worker, unsigned int of)
{
	for (;;) {
		unsigned int i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
		const struct test_case *t = test_first() + i;

		if (t >= test_end())
			return;
		if (!wanted(t, o))
			continue;
		snprintf(shared->running[worker], sizeof(shared->running[worker]), "%s.%s", t->suite, t->name);
		progress(t, of);
		count(run_one(t, o));
		shared->running[worker][0] = 0;
	}
}

static pid_t start_worker(const struct options *o, unsigned int worker, unsigned int of)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	work(o, worker, of);
	_exit(0);
}

static void run_jobs(const struct options *o, unsigned int of)
{
	pid_t pids[64];
	unsigned int alive = 0;
	int status;

	for (; alive < o->jobs; alive++)
		if ((pids[alive] = start_worker(o, alive, of)) < 0)
			perror("fork"), exit(2);
	while (alive) {
		pid_t pid = wait(&status);
		unsigned int w = 0;

		while (w < o->jobs && pids[w] != pid)
			w++;
		if (w == o->jobs)
			continue;
		if (!shared->running[w][0] && !status) {
			alive--;
			continue;
		}
		printf("FAIL %s (seed %llu): its process died (status %#x)\n",
		       shared->running[w][0] ? shared->running[w] : "at the end of all tests",
		       (unsigned long long)test_seed, status);
		count(TEST_FAILED);
		if (!shared->running[w][0]) {
			alive--;
			continue;
		}
		shared->running[w][0] = 0;
		pids[w] = start_worker(o, w, of);
	}
}

static int usage(FILE *to)
{
	fputs("usage: tests [--list] [--verbose] [--seed N] [--jobs N] [--effort PERCENT] [PATTERN...]\n"
	      "  runs the tests whose \"suite.name\" contains one of the PATTERNs (without any: all)\n"
	      "  --list      only print their names\n"
	      "  --verbose   print each test's time\n"
	      "  --seed N    seed of the random tests (a failing test prints it)\n"
	      "  --effort P  do P percent of the random and repeated tests' rounds\n"
	      "  --jobs N    processes (default 1; at most 64)\n",
	      to);
	return to == stderr ? 2 : 0;
}

static bool number(const char *text, u64 *value)
{
	char *end;

	errno = 0;
	*value = text ? strtoull(text, &end, 0) : 0;
	return text && *text && !*end && !errno;
}

static int parse(int argc, char **argv, struct options *o)
{
	u64 value = 0;

	o->jobs = 1;
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		bool takes_number = !strcmp(a, "--seed") || !strcmp(a, "--jobs") || !strcmp(a, "--effort");

		if (takes_number && !number(argv[++i], &value)) {
			fprintf(stderr, "tests: %s needs a number\n", a);
			return 2;
		}
		if (!strcmp(a, "--seed"))
			test_seed = value;
		else if (!strcmp(a, "--jobs"))
			o->jobs = value < 1 ? 1 : value > 64 ? 64 : (unsigned int)value;
		else if (!strcmp(a, "--effort"))
			test_effort = value > 1000000 ? 1000000 : (unsigned int)value;
		else if (!strcmp(a, "--list"))
			o->list = true;
		else if (!strcmp(a, "--verbose"))
			o->verbose = true;
		else if (!strcmp(a, "--help"))
			exit(usage(stdout));
		else if (*a == '-' || o->patterns_nr == ARRAY_SIZE(o->patterns))
			return fprintf(stderr, "tests: unknown option %s\n", a), usage(stderr);
		else
			o->patterns[o->patterns_nr++] = a;
	}
	return 0;
}

static void final_line(void)
{
	const struct test_counts *c = &shared->counts;
	bool colour = isatty(STDOUT_FILENO);

	printf("%s%s%u passed, %u failed, %u skipped%s\n", colour ? "\r\033[K" : "",
	       !colour ? "" : c->failed ? "\033[31m" : "\033[32m", c->passed, c->failed, c->skipped,
	       colour ? "\033[m" : "");
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	unsigned int of = 0;
	int err = parse(argc, argv, &o);

	if (err)
		return err;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct test_case *t = test_first(); t < test_end(); t++) {
		of += wanted(t, &o);
		if (o.list && wanted(t, &o))
			printf("%s.%s\n", t->suite, t->name);
	}
	if (o.list)
		return 0;
	if (!of)
		return fprintf(stderr, "tests: no test matches\n"), 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return perror("mmap"), 2;
	hosted_console_hook = keep_output;
	hosted_panic_hook = show_output_before_death;
	catch_crashes();
	run_jobs(&o, of);
	final_line();
	return shared->counts.failed ? 1 : 0;
}
