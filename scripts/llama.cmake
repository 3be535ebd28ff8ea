# Read by CMake at the start of llama.cpp's build (see .cargo/config.toml). Its `common` library and the HTTP library that
# comes with it are more than half of that build, and Frontdesk calls neither: llama-cpp-2 asks for them all the same.
set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)
