// SPDX-License-Identifier: MIT
/*
 * The monitor's hosted front end: lines from a terminal, with editing, history and completion where the build
 * found readline (or libedit under its name), and from files and pipes without a prompt.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#if defined(CLI_READLINE)
#include <readline/history.h>
#include <readline/readline.h>
#elif defined(CLI_EDITLINE)
#include <editline/readline.h>
#endif

#define PROMPT "octavo> "

#if defined(CLI_READLINE) || defined(CLI_EDITLINE)

/* The names that may complete the word being typed. */
static struct {
	char **name;
	unsigned int nr, next;
	const char *dir; /* what stands before each name: the directory typed so far */
	size_t dir_len;
} choices;

static void forget_choices(void)
{
	for (unsigned int i = 0; i < choices.nr; i++)
		free(choices.name[i]);
	choices.nr = choices.next = 0;
}

static void add_choice(char *name)
{
	choices.name = cli_grow(choices.name, choices.nr, sizeof(*choices.name));
	choices.name[choices.nr++] = name;
}

static void add_entry(void *ctx, const char *name, bool directory)
{
	(void)ctx;
	add_choice(cli_format("%.*s%s%s", (int)choices.dir_len, choices.dir, name, directory ? "/" : ""));
}

static void add_cache(void *ctx, const char *name, bool directory)
{
	(void)ctx;
	(void)directory;
	add_choice(cli_strdup(name));
}

static void list_paths(const char *word)
{
	const char *slash = strrchr(word, '/');
	char *dir;

	choices.dir = word;
	choices.dir_len = slash ? (size_t)(slash - word) + 1 : 0;
	dir = choices.dir_len > 1 ? cli_format("%.*s", (int)choices.dir_len - 1, word) : cli_strdup("/");
	octavo_proc_list(dir, add_entry, NULL);
	free(dir);
}

static char *next_choice(const char *word, int state)
{
	if (!state)
		choices.next = 0;
	while (choices.next < choices.nr) {
		const char *name = choices.name[choices.next++];

		if (!strncmp(name, word, strlen(word)))
			return strdup(name);
	}
	return NULL;
}

static char **complete(const char *word, int start, int end)
{
	char **matches, *command;
	const char *line = skip_blanks(rl_line_buffer);
	size_t len = strcspn(line, " ");

	(void)end;
	forget_choices();
	command = cli_format("%.*s", (int)len, line);
	if (start <= line - rl_line_buffer) {
		for (unsigned int i = 0; monitor_command_name(i); i++)
			add_choice(cli_strdup(monitor_command_name(i)));
	} else if (monitor_command_takes_path(command)) {
		list_paths(word);
	} else if (!strcmp(command, "alloc") || !strcmp(command, "kmalloc")) {
		for (unsigned int i = 0; monitor_gfp_name(i, NULL); i++)
			add_choice(cli_strdup(monitor_gfp_name(i, NULL)));
	}
	if (!strcmp(command, "heap") || !strcmp(command, "shrink") || !strcmp(command, "kmem_cache"))
		octavo_proc_list("/sys/kernel/slab", add_cache, NULL);
	free(command);
	matches = rl_completion_matches(word, next_choice);
	rl_attempted_completion_over = 1;
	if (matches && !matches[1] && matches[0][0] && matches[0][strlen(matches[0]) - 1] == '/')
		rl_completion_append_character = 0;
	else
		rl_completion_append_character = ' ';
	return matches;
}

static char *edit_line(void)
{
	static bool set_up;
	char *line;

	if (!set_up) {
		rl_readline_name = "octavo";
		rl_attempted_completion_function = complete;
		rl_basic_word_break_characters = " \t|+>";
		set_up = true;
	}
	fflush(stdout);
	line = readline(PROMPT);
	if (line && *line)
		add_history(line);
	return line;
}

static void edit_end(void)
{
	forget_choices();
	free(choices.name);
	choices.name = NULL;
	clear_history();
}

#else

static char *edit_line(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	fputs(PROMPT, stdout);
	fflush(stdout);
	len = getline(&line, &size, stdin);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = 0;
	return line;
}

static void edit_end(void)
{
}

#endif

static int run_interactive(struct monitor *mon)
{
	bool more = true;

	fputs("The monitor: \"help\" lists the commands.\n", stdout);
	while (more) {
		char *line = edit_line();

		if (!line)
			fputc('\n', stdout);
		more = line && monitor_command(mon, line) != MONITOR_QUIT;
		free(line);
	}
	edit_end();
	return EXIT_DONE;
}

static int run_script(struct monitor *mon, FILE *in)
{
	unsigned int number = 0;
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	while (ret != MONITOR_QUIT && getline(&line, &size, in) >= 0) {
		number++;
		line[strcspn(line, "\r\n")] = 0;
		ret = monitor_command(mon, line);
		if (ret < 0)
			cli_complain("line %u of the script failed", number);
	}
	free(line);
	return mon->failures ? EXIT_FAILED : EXIT_DONE;
}

int console_run(struct monitor *mon, FILE *in)
{
	return in == stdin && isatty(STDIN_FILENO) && cli_terminal()->tty ? run_interactive(mon) : run_script(mon, in);
}
