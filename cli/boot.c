// SPDX-License-Identifier: MIT
/* octavo boot: read a machine, boot it, show what was asked for. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <octavo/port.h>

#include "cli.h"
#include "hosted.h"
#include "mm/phys/watermark.h"
#include "mm/sync/cpu.h"

/* CPUs that work at once in a threaded run: more than the host has only take turns. */
#define RUN_CPUS_MAX 8

static struct {
	char *text;
	size_t len;
	bool hold; /* keep the log instead of showing it */
} console;

static bool deterministic;
static u64 run_seed;
static unsigned int present_cpus;

static bool hold_console(const char *text, size_t len)
{
	if (!console.hold)
		return false;
	console.text = cli_resize(console.text, console.len + len + 1);
	memcpy(console.text + console.len, text, len);
	console.len += len;
	console.text[console.len] = 0;
	return true;
}

/* The log so far; the caller frees it. */
static char *release_console(void)
{
	char *text = console.text;

	console.text = NULL;
	console.len = 0;
	console.hold = false;
	return text;
}

static int read_machine(struct machine_desc *m, const struct boot_options *options)
{
	int error;

	machine_init(m, !options->file		   ? "this machine" :
			strcmp(options->file, "-") ? options->file :
						     "standard input");
	error = machine_read(m, options->file, "");
	if (!error && options->slit) {
		char *name = m->name;

		m->name = (char *)options->slit;
		error = machine_read_slit(m, options->slit);
		m->name = name;
	}
	if (!error && options->cpus)
		machine_set_cpus(m, options->cpus);
	if (!error && options->append)
		machine_append_cmdline(m, options->append);
	if (!error)
		error = machine_finish(m);
	if (m->warnings) {
		for (char *line = strtok(m->warnings, "\n"); line; line = strtok(NULL, "\n"))
			cli_complain("%s", line);
		if (m->warnings_nr > 20)
			cli_complain("%s: %u more warnings", m->name, m->warnings_nr - 20);
	}
	if (error)
		cli_complain("%s", m->error ? m->error : "cannot read the machine");
	return error;
}

/*
 * Every CPU that is present is online, as on a machine that is up, whether a thread runs on it just now or not:
 * per-CPU figures of /proc/zoneinfo and the like count them.
 */
static int cpus_online(unsigned int present)
{
	int error = 0;

	for (unsigned int cpu = 1; cpu < present && cpu < nr_cpu_ids && !error; cpu++) {
		hosted_enter_cpu(cpu);
		error = mm_cpu_online(cpu);
	}
	hosted_enter_cpu(0);
	return error;
}

/* What Linux does between bringing up the CPUs and the first program. */
static int finish_boot(const struct machine_desc *m)
{
	int error = cpus_online(m->info.cpus_nr);

	if (error)
		return error;
	init_per_zone_wmark_min();
	mm_free_initmem();
	return 0;
}

int boot_start(struct boot *boot, const struct boot_options *options)
{
	struct hosted_options hosted = { .cpus = options->cpus, .seed = options->seed };
	bool unbootable = false;
	char *log;
	int error;

	deterministic = boot->deterministic = options->seed != 0;
	run_seed = options->seed;
	if (deterministic)
		hosted.mode = HOSTED_COROUTINES;
	if (read_machine(&boot->machine, options)) {
		machine_free(&boot->machine);
		return EXIT_FAILED;
	}
	console.hold = options->quiet;
	hosted_console_hook = options->log ? options->log : hold_console;
	error = hosted_boot(&boot->machine.info, &hosted);
	present_cpus = boot->machine.info.cpus_nr;
	if (!error)
		error = finish_boot(&boot->machine);
	if (!error && disks_open(options))
		unbootable = true;
	hosted_console_hook = NULL;
	log = release_console();
	if (error) {
		fflush(stdout);
		if (log)
			fputs(log, stderr);
		cli_complain("%s: the machine does not boot: %s", boot->machine.name,
			     error == -ENOMEM ? "memory is short (the log above says which)" :
						"its memory map is of no use (the log above says why)");
	}
	if (error || unbootable)
		boot_end(boot);
	free(log);
	return error || unbootable ? EXIT_FAILED : EXIT_DONE;
}

void boot_end(struct boot *boot)
{
	hosted_reset();
	disks_close();
	hosted_console_hook = NULL;
	machine_free(&boot->machine);
}

unsigned int boot_run_cpus(unsigned int max, void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	long host = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int n = nr_cpu_ids;
	int error;

	if (!max)
		max = deterministic ? 4 : host > RUN_CPUS_MAX ? RUN_CPUS_MAX : host < 4 ? 4 : (unsigned int)host;
	if (n > max)
		n = max;
	if (deterministic) {
		struct hosted_schedule schedule = { .seed = run_seed };

		error = hosted_run_coroutines(n, fn, arg, &schedule);
	} else {
		error = hosted_run_cpus(n, fn, arg);
	}
	if (!error)
		error = cpus_online(present_cpus);
	if (error)
		cli_complain("cannot run %u CPUs: %s", n, strerror(-error));
	return error ? 0 : n;
}

struct call {
	void (*fn)(void *arg);
	void *arg;
};

static void run_call(unsigned int cpu, void *arg)
{
	const struct call *call = arg;

	(void)cpu;
	call->fn(call->arg);
}

static void run_all(void (*fn)(void *arg), void *arg)
{
	struct call call = { fn, arg };

	boot_run_cpus(0, run_call, &call);
}

static void emit(void *ctx, const char *text, size_t len)
{
	fwrite(text, 1, len, ctx);
}

void boot_monitor(struct monitor *mon)
{
	*mon = (struct monitor){
		.emit = emit,
		.ctx = stdout,
		.run_all = run_all,
		.live = cli_terminal()->tty && isatty(STDIN_FILENO) ? live_show : NULL,
		.frame = cli_terminal()->tty ? live_frame : NULL,
		.disk = host_disk,
		.disk_gone = host_disk_gone,
		.unicode = cli_terminal()->unicode,
		.colour = cli_terminal()->colour,
	};
}

/* ---- Options ---- */

struct parsed {
	struct boot_options boot;
	const char **cats;
	unsigned int cats_nr;
	const char *words[2]; /* FILE and SCRIPT, in the order given */
	unsigned int words_nr;
	int script_word;      /* the one that stands right behind --monitor, or -1 */
	const char *script;
	const char **runs; /* monitor commands */
	unsigned int runs_nr;
	const char *trace, *trace_events;
	bool json, monitor, tour, only_words;
};

/* The value of "--NAME VALUE" or "--NAME=VALUE" at argv[*i]; false: it is another option. */
static bool option_value(int argc, char **argv, int *i, const char *name, const char **value)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) || (argv[*i][len] && argv[*i][len] != '='))
		return false;
	if (argv[*i][len] == '=')
		*value = argv[*i] + len + 1;
	else if (*i + 1 < argc)
		*value = argv[++*i];
	else
		*value = NULL;
	return true;
}

static int need_number(const char *option, const char *value, u64 min, u64 max, u64 *number)
{
	const char *p = value;

	if (scan_number(&p, value[0] == '0' && value[1] == 'x' ? 16 : 10, number) && !*p && *number >= min &&
	    *number <= max)
		return 0;
	cli_complain("%s '%s': a number from %llu to %llu is needed", option, value, (unsigned long long)min,
		     (unsigned long long)max);
	return EXIT_USAGE;
}

static void add_append(struct boot_options *boot, const char *value)
{
	char *old = boot->append;

	boot->append = old ? cli_format("%s %s", old, value) : cli_strdup(value);
	free(old);
}

static int add_disk(struct boot_options *boot, const char *file, bool swap)
{
	if (boot->disks_nr == sizeof(boot->disks) / sizeof(boot->disks[0])) {
		cli_complain("'%s': a machine has four disks at most", file);
		return EXIT_USAGE;
	}
	boot->swaps |= (unsigned int)swap << boot->disks_nr;
	boot->disks[boot->disks_nr++] = file;
	return EXIT_DONE;
}

/* Options with a value. Return: -1: none of them, else an exit code. */
static int value_option(struct parsed *p, int argc, char **argv, int *i)
{
	static const char *const names[] = { "--append", "--cpus", "--slit", "--cat",
					     "--run",	 "--trace", "--trace-events", "--seed",
					     "--disk",	 "--swap" };
	const unsigned int nr = sizeof(names) / sizeof(names[0]);
	const char *value = NULL;
	unsigned int k = 0;
	u64 number;
	int ret;

	while (k < nr && !option_value(argc, argv, i, names[k], &value))
		k++;
	if (k == nr)
		return -1;
	if (!value) {
		cli_complain("%s needs a value", names[k]);
		return EXIT_USAGE;
	}
	switch (k) {
	case 0:
		add_append(&p->boot, value);
		return EXIT_DONE;
	case 1:
		ret = need_number(names[k], value, 1, NR_CPUS, &number);
		p->boot.cpus = ret ? 0 : (unsigned int)number;
		return ret;
	case 2:
		p->boot.slit = value;
		return EXIT_DONE;
	case 3:
		p->cats = cli_grow(p->cats, p->cats_nr, sizeof(*p->cats));
		p->cats[p->cats_nr++] = value;
		return EXIT_DONE;
	case 4:
		p->runs = cli_grow(p->runs, p->runs_nr, sizeof(*p->runs));
		p->runs[p->runs_nr++] = value;
		return EXIT_DONE;
	case 5:
		p->trace = value;
		return EXIT_DONE;
	case 6:
		p->trace_events = value;
		return EXIT_DONE;
	case 7:
		return need_number(names[k], value, 1, ~(u64)0, &p->boot.seed);
	default:
		return add_disk(&p->boot, value, k == 9);
	}
}

static int one_option(struct parsed *p, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];
	int ret;

	if (!strcmp(arg, "--") && !p->only_words) {
		p->only_words = true;
		return EXIT_DONE;
	}
	if (p->only_words || arg[0] != '-' || !arg[1]) {
		if (p->words_nr == 2) {
			cli_complain("'%s' is one argument too many", arg);
			return EXIT_USAGE;
		}
		if (*i > 1 && !strcmp(argv[*i - 1], "--monitor"))
			p->script_word = (int)p->words_nr;
		p->words[p->words_nr++] = arg;
		return EXIT_DONE;
	}
	ret = value_option(p, argc, argv, i);
	if (ret >= 0)
		return ret;
	if (!strncmp(arg, "--monitor=", 10) && arg[10])
		p->script = arg + 10;
	if (!strcmp(arg, "--quiet"))
		p->boot.quiet = true;
	else if (!strcmp(arg, "--json"))
		p->json = p->boot.quiet = true;
	else if (!strcmp(arg, "--monitor") || p->script)
		p->monitor = true;
	else if (!strcmp(arg, "--tour"))
		p->tour = true;
	else {
		cli_complain("no option '%s' ('octavo help' lists them)", arg);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* Which word is the file and which the script: two words make both, if --monitor is there. */
static int settle_words(struct parsed *p)
{
	if (p->words_nr == 2) {
		int script = p->script_word >= 0 ? p->script_word : 1;

		if (!p->monitor || p->script) {
			cli_complain("'%s' is one argument too many", p->words[1]);
			return EXIT_USAGE;
		}
		p->script = p->words[script];
		p->boot.file = p->words[!script];
	} else if (p->words_nr) {
		p->boot.file = p->words[0];
	}
	if (p->script && p->boot.file && !strcmp(p->script, "-") && !strcmp(p->boot.file, "-")) {
		cli_complain("standard input cannot be both the machine and the script");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static void emit_file(void *ctx, const char *text, size_t len)
{
	fwrite(text, 1, len, ctx);
}

static int show_file(const char *path)
{
	int error = octavo_proc_read(path, emit_file, stdout);

	if (error)
		cli_complain("--cat '%s': %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int run_monitor(const char *script)
{
	bool file = script && strcmp(script, "-");
	FILE *in = file ? fopen(script, "r") : stdin;
	struct monitor mon;
	int ret;

	if (!in) {
		cli_complain("--monitor '%s': %s", script, strerror(errno));
		return EXIT_FAILED;
	}
	boot_monitor(&mon);
	ret = console_run(&mon, in);
	if (file)
		fclose(in);
	return ret;
}

static int run_commands(const struct parsed *p)
{
	struct monitor mon;

	boot_monitor(&mon);
	for (unsigned int i = 0; i < p->runs_nr; i++) {
		char *line = cli_strdup(p->runs[i]);
		int ret = monitor_command(&mon, line);

		free(line);
		fflush(stdout);
		if (ret)
			return ret == MONITOR_QUIT ? EXIT_DONE : EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int boot_and_show(const struct parsed *p)
{
	struct boot boot;
	int ret = p->trace ? trace_open(p->trace) : EXIT_DONE;

	if (!ret)
		ret = boot_start(&boot, &p->boot);
	if (ret) {
		trace_close();
		return ret;
	}
	if (p->json)
		json_print(stdout, &boot);
	if (p->trace || p->trace_events)
		ret = trace_begin(p->trace_events);
	if (!ret)
		ret = run_commands(p);
	for (unsigned int i = 0; i < p->cats_nr; i++)
		ret |= show_file(p->cats[i]);
	if (p->monitor)
		ret |= run_monitor(p->script);
	if (p->trace && ret != EXIT_USAGE)
		ret |= trace_end();
	trace_close();
	boot_end(&boot);
	if (fflush(stdout) || ferror(stdout)) {
		cli_complain("standard output: %s", strerror(errno));
		ret = EXIT_FAILED;
	}
	return ret;
}

int boot_main(int argc, char **argv)
{
	struct parsed p = { .script_word = -1, .tour = !strcmp(argv[0], "tour") };
	int ret = EXIT_DONE;

	for (int i = 1; i < argc && !ret; i++)
		ret = one_option(&p, argc, argv, &i);
	if (!ret)
		ret = settle_words(&p);
	if (!ret)
		ret = p.tour ? tour_run(&p.boot) : boot_and_show(&p);
	free(p.boot.append);
	free(p.cats);
	free(p.runs);
	return ret;
}
