"""changed: which files the commits that are to be checked have changed."""
import fnmatch
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# On the main branch itself nothing says where a landing began. It is the work of some hours;
# to look at a landing too many costs time only.
LANDING_S = 12 * 3600


def git(*words):
    """What git says, or "" where there is no git, no repository or no such commit."""
    try:
        done = subprocess.run(("git", "-C", TOP, *words), capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def base():
    """The commit before the first to be checked: of a branch where it left main, on main the
    newest that is older than a landing. "" if the clone does not go back so far."""
    head = git("rev-parse", "HEAD")
    for main in ("origin/main", "main"):
        common = git("merge-base", "HEAD", main)
        if common and common != head:
            return common
    newest = git("log", "-1", "--format=%ct", "HEAD")
    return newest and git("rev-list", "-1", f"--before={int(newest) - LANDING_S}", "HEAD")


def changed_files():
    """The paths that differ from the base, uncommitted ones too; None if there is no telling."""
    since = base()
    if not since:
        return None
    new = git("ls-files", "--others", "--exclude-standard")
    return sorted(set(git("diff", "--name-only", since).split("\n") + new.split("\n")) - {""})


def touches(files, patterns):
    """The first of FILES that one of PATTERNS means, as of a shell; None if none does. With FILES
    None all may have changed."""
    if files is None:
        return "no history to tell from"
    return next((file for file in files for pattern in patterns
                 if fnmatch.fnmatchcase(file, pattern)), None)
