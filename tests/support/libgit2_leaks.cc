// Debian's libgit2 leaves behind what libpcre2 matches in, about twenty kilobytes for each mirror
// that is opened; LeakSanitizer tells it of tests that do.
extern "C" const char* __lsan_default_suppressions() { return "leak:libpcre2-8.so\n"; }
