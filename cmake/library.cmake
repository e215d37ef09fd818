# SPDX-License-Identifier: MIT
file(GLOB_RECURSE TERN_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)
tern_select_isa(TERN_SOURCES ${TERN_SOURCES})

# data/traces/*.trace as a C file.
set(TERN_TRACES_FILE ${PROJECT_BINARY_DIR}/memory_traces.c)
set(arrays "")
set(rows "")
foreach(name decode prompt ops)
  set(trace ${PROJECT_SOURCE_DIR}/data/traces/${name}.trace)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${trace})
  file(READ ${trace} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${name}\", ${name}, sizeof ${name}},\n")
endforeach()
file(CONFIGURE OUTPUT ${TERN_TRACES_FILE} CONTENT
"/* SPDX-License-Identifier: MIT */
#include \"bench/memory_trace.h\"

${arrays}
const tern__trace tern__traces[] = {
${rows}    {0},
};
")
list(APPEND TERN_SOURCES ${TERN_TRACES_FILE})

# data/story-heldout.txt as a C file: the tokens, and the mean likelihood that is expected.
set(TERN_STORY_FILE ${PROJECT_BINARY_DIR}/story_heldout.c)
set(heldout ${PROJECT_SOURCE_DIR}/data/story-heldout.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${heldout})
file(STRINGS ${heldout} windows REGEX "^window 256 ")
file(STRINGS ${heldout} mean REGEX "^mean_nll ")
list(TRANSFORM windows REPLACE "^window 256 (.*)$" "    {\\1},\n")
list(TRANSFORM windows REPLACE "([0-9]) " "\\1, ")
list(JOIN windows "" windows)
string(REGEX REPLACE "^mean_nll ([0-9.]+) .*" "\\1" mean "${mean}")
file(CONFIGURE OUTPUT ${TERN_STORY_FILE} CONTENT
"/* SPDX-License-Identifier: MIT */
#include \"bench/story.h\"

const int16_t tern__story_windows[TERN__STORY_WINDOWS][TERN__STORY_TOKENS] = {
${windows}};
const double tern__story_mean_nll = ${mean};
")
list(APPEND TERN_SOURCES ${TERN_STORY_FILE})

# Finds a library by its pkg-config module. Its static archive makes the program one file that runs
# elsewhere; libtern.so has the shared one.
set(TERN_STATIC_DEPENDENCIES "")
set(TERN_SHARED_DEPENDENCIES "")
macro(tern_need name module archive)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  find_library(TERN_${name}_STATIC ${archive} HINTS ${${name}_LIBRARY_DIRS})
  if(TERN_${name}_STATIC)
    list(APPEND TERN_STATIC_DEPENDENCIES ${TERN_${name}_STATIC})
  else()
    list(APPEND TERN_STATIC_DEPENDENCIES PkgConfig::${name})
  endif()
  list(APPEND TERN_SHARED_DEPENDENCIES PkgConfig::${name})
endmacro()
tern_need(PCRE2 libpcre2-8>=10.34 libpcre2-8.a)
tern_need(JANSSON jansson>=2.11 libjansson.a)
tern_need(ZLIB zlib>=1.2.9 libz.a)

# The baseline of speed figures: the portable source of some kernel families once more, under
# another name, with hardware FMA but without the compiler's vectoriser.
set(TERN_BASELINES map functions rows reduce)
set(TERN_BASELINE_SOURCES "")
set(TERN_BASELINE_NAMES "")
foreach(family IN LISTS TERN_BASELINES)
  list(APPEND TERN_BASELINE_SOURCES ${PROJECT_SOURCE_DIR}/src/kernels/${family}_scalar.c)
  list(APPEND TERN_BASELINE_NAMES tern__${family}_scalar=tern__${family}_baseline)
endforeach()
set(TERN_BASELINE_FLAGS -fno-tree-vectorize -fno-tree-slp-vectorize)
if(avx2 IN_LIST TERN_ISA_TARGET)
  list(APPEND TERN_BASELINE_FLAGS -mfma)
endif()
add_library(tern_baseline OBJECT ${TERN_BASELINE_SOURCES})
target_link_libraries(tern_baseline PRIVATE tern_flags)
target_compile_definitions(tern_baseline PRIVATE ${TERN_BASELINE_NAMES})
target_compile_options(tern_baseline PRIVATE ${TERN_BASELINE_FLAGS})
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/bench/matmul_baseline.c
                            PROPERTIES COMPILE_OPTIONS "${TERN_BASELINE_FLAGS}")

# Where plug-ins are installed, as seen from the program.
file(RELATIVE_PATH TERN_PLUGIN_FOLDER ${CMAKE_INSTALL_FULL_BINDIR}
     ${CMAKE_INSTALL_FULL_LIBDIR}/tern)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/device/plugin/load.c PROPERTIES
                            COMPILE_DEFINITIONS "TERN_PLUGIN_FOLDER=\"${TERN_PLUGIN_FOLDER}\"")

# What a report says about the build.
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
string(STRIP "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}}" flags)
if(TERN_SANITIZE)
  string(APPEND flags " -fsanitize=${TERN_SANITIZE}")
endif()
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/validate/machine.c PROPERTIES
                            COMPILE_DEFINITIONS "TERN_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\";\
TERN_BUILD_FLAGS=\"${flags}\"")

add_library(tern_objects OBJECT ${TERN_SOURCES})
target_link_libraries(tern_objects PRIVATE tern_flags Threads::Threads)
target_compile_definitions(tern_objects PRIVATE TERN_NO_SITES)
target_include_directories(tern_objects PRIVATE
  ${PCRE2_INCLUDE_DIRS} ${JANSSON_INCLUDE_DIRS} ${ZLIB_INCLUDE_DIRS})

# What users of the library see of it: the public headers and what it links to, no flag of ours.
# The system's maths library gives correctly rounded functions only (fma, sqrt, rint).
set(TERN_OBJECTS $<TARGET_OBJECTS:tern_objects> $<TARGET_OBJECTS:tern_baseline>)
set(TERN_KIND STATIC)
if(TERN_SANITIZE)
  # One shared library with every name in it: copies of it in 140 test programs are 2.6 GB to link.
  set(TERN_KIND SHARED)
  set(TERN_SHARED OFF)
  set(TERN_STATIC_DEPENDENCIES ${TERN_SHARED_DEPENDENCIES})
  set_target_properties(tern_objects tern_baseline PROPERTIES C_VISIBILITY_PRESET default)
endif()
add_library(tern ${TERN_KIND} ${TERN_OBJECTS})
target_link_libraries(tern PUBLIC "$<BUILD_INTERFACE:${TERN_STATIC_DEPENDENCIES}>"
                      "$<INSTALL_INTERFACE:${TERN_SHARED_DEPENDENCIES}>" Threads::Threads m)
set(TERN_LIBRARIES tern)

if(TERN_SHARED)
  add_library(tern_shared SHARED ${TERN_OBJECTS})
  target_link_libraries(tern_shared PRIVATE ${TERN_SHARED_DEPENDENCIES} Threads::Threads m)
  set_target_properties(tern_shared PROPERTIES OUTPUT_NAME tern EXPORT_NAME shared
                        VERSION ${PROJECT_VERSION}
                        # Before 1.0 the minor number says whether programs still fit.
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  if(CMAKE_SYSTEM_NAME STREQUAL Linux AND NOT TERN_SANITIZE)
    target_link_options(tern_shared PRIVATE -Wl,--no-undefined)
  endif()
  list(APPEND TERN_LIBRARIES tern_shared)
endif()

foreach(library IN LISTS TERN_LIBRARIES)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
  if(TERN_SANITIZE)
    target_link_options(${library} PUBLIC -fsanitize=${TERN_SANITIZE})
  endif()
endforeach()
