"""The commands' names and help, and nothing that costs time: this is all that loads
with the debugger. What they do is in `run`, imported when the first one is typed.
"""


class Help:
    """No NamedTuple and no data class: importing those costs more than all this.

    `usage` and `text` in lines as they are shown."""

    def __init__(self, name: str, summary: str, usage: str, text: str) -> None:
        self.name = name
        self.summary = summary
        self.usage = usage
        self.text = text


HELP = (
    Help(
        "thunk-inspect",
        "Find the interpreter thunk here and judge it.",
        "thunk-inspect [ADDRESS] [--json] [--bytes] [--all]\n"
        "[--html|--junit|--markdown F]",
        """Looks for ChakraCore's dynamic interpreter thunk from wherever the selected
thread is stopped: pc, return addresses, function objects, the stack,
executable memory. Proves what its instructions do, decodes what the
interpreter reads, and says what is wrong, why, and how to mend it.

  ADDRESS   of a block, of code in it, or of a function object
            (a register, a number, a symbol, or sums of them)
  --json    the report as JSON
  --bytes   the header's bytes and every instruction, even when all is well
  --all     the evidence of every check
  --html F      the whole report as one HTML file, beside what is shown
  --junit F     the checks as JUnit XML, as CI systems read it
  --markdown F  a summary in Markdown
            each replaces the file F""",
    ),
    Help(
        "thunk-layout",
        "Decode a JavascriptCallStackLayout.",
        "thunk-layout [EXPRESSION] [--json]",
        """Decodes the words at an address as the interpreter would read them:
function, callInfo, this and the arguments. Nothing is run in the process.

  EXPRESSION  a register, a number, a symbol, or sums of them: $x0, $sp+16;
              without one, the layout of the call in hand
  --json      the layout as JSON""",
    ),
    Help(
        "thunk-stub",
        "Show the stub of a function object.",
        "thunk-stub EXPRESSION",
        """Follows a function object to its FunctionBody and says where its stub is:
the address that a dispatch branch goes to, and no other. In gdb's
expressions it is $_thunk(EXPRESSION), as in `break *$_thunk($x0)` or
`break ... if $x3 == $_thunk($x0)`. In lldb's Python it is
thunk_inspect_lldb.stub("EXPRESSION", frame), for the commands of a break
point, where returning False goes on.

  EXPRESSION  as for thunk-layout""",
    ),
    Help(
        "thunk-bt",
        "Show the JavaScript stack.",
        "thunk-bt [-n N] [--all] [--json]",
        """Lists the script functions on the selected thread's stack, innermost first,
with their arguments, and says why the walk ended. Nothing is run in the
process.

  -n N    at most N script frames
  --all   the native frames between them as well
  --json  as JSON""",
    ),
    Help(
        "thunk-find",
        "List every thunk block that can be found.",
        "thunk-find [--json]",
        """Lists the blocks of this process with what is known of each: address, size,
stubs, convention, interpreter, and how it was found.

  --json    the list as JSON""",
    ),
    Help(
        "thunk-compare",
        "Set the thunk beside the pattern that its convention expects.",
        "thunk-compare [ADDRESS] [--all] [--json]",
        """Shows argument registers, frame, layout pointer, allocation, control flow
and epilogue of the thunk found here beside the header that the engine's
emitter makes for the same convention, each read from the instructions.
Differences are marked.

  ADDRESS   as for thunk-inspect
  --all     the other conventions as well
  --json    all of them as JSON""",
    ),
    Help(
        "thunk-snapshot",
        "Save what an inspection looks at to a file.",
        "thunk-snapshot FILE [ADDRESS]",
        """Writes a snapshot that `thunk-inspect replay FILE` judges anywhere, with no
debugger: for a bug report, or as a test case.

  FILE      is replaced if it exists
  ADDRESS   as for thunk-inspect""",
    ),
    Help(
        "thunk-trace",
        "Let the process run and watch every call through a thunk.",
        "thunk-trace [--count N] [--timeout S] [--only EVENT] [--json FILE]",
        """Sets break points of its own and takes them away again. Each event is a
line: a block encoded, a thunk generated, a call about to happen, the thunk
entered, its dispatch branch, the interpreter entered, the return. A value
that goes wrong between two events is pointed at there. If time is up, the
process is interrupted and looked at: where does it loop, or what does it
wait for?

  --count N     until N calls have come back
  --timeout S   for S seconds at the most
  --only EVENT  only such events are shown (may be given more than once):
                encoded, generated, call, entered, dispatch, interpreter,
                returned
  --json FILE   the whole trace as JSON""",
    ),
    Help(
        "thunk-settings",
        "Show or change how these commands work.",
        "thunk-settings [NAME [VALUE]]",
        """Without a word, all settings; with a name, one; with a value, it is set
until this debugger ends. In gdb they are parameters as well:
`set thunk-inspect colour off`, `show thunk-inspect`.

  colour      auto, on, off
  arguments   auto, or how many arguments of a call are shown
  block-size  auto, 4096, 16384, 65536: what a block is taken for""",
    ),
)


def help_text(help: Help) -> str:
    """A command's help as both debuggers show it, neither of which breaks lines."""
    usage = help.usage.replace("\n", "\n       ")
    return f"{help.summary}\n\nUsage: {usage}\n\n{help.text}"
