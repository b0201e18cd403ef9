# Finds LLVM and MLIR and defines how the compiler's libraries and executables are built.

find_package(MLIR 22.1 CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
if(NOT MLIR_FOUND)
  message(FATAL_ERROR "MLIR 22 was not found. On Debian 12 and 13 run scripts/install-deps; elsewhere install LLVM and MLIR 22 "
                      "and configure with -DMLIR_DIR=PREFIX/lib/cmake/mlir.")
endif()
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

separate_arguments(LLVM_DEFINITIONS_LIST NATIVE_COMMAND ${LLVM_DEFINITIONS})

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Shared between all compiler targets; LLVM's headers are system headers so that their warnings stay out of ours.
add_library(mjolnir_compiler_options INTERFACE)
target_include_directories(mjolnir_compiler_options SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_include_directories(mjolnir_compiler_options INTERFACE
  ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(mjolnir_compiler_options INTERFACE -fno-exceptions -Wall -Wextra -Wno-unused-parameter)
target_compile_definitions(mjolnir_compiler_options INTERFACE ${LLVM_DEFINITIONS_LIST})

# One precompiled header for all libraries. Without a time stamp in it, its contents are equal whenever its inputs are,
# which is what a compiler cache goes by.
file(WRITE ${CMAKE_BINARY_DIR}/MlirPch.cpp "")
add_library(mjolnir_pch OBJECT ${CMAKE_BINARY_DIR}/MlirPch.cpp)
target_link_libraries(mjolnir_pch PRIVATE mjolnir_compiler_options)
target_precompile_headers(mjolnir_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/MlirPch.h)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(mjolnir_pch PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
endif()

# mjolnir_add_library(NAME sources... [LINK libs...] [DEPENDS targets...])
function(mjolnir_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC mjolnir_compiler_options ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM mjolnir_pch)
  # Every library may include any generated dialect header.
  add_dependencies(${name} mjolnir-headers ${ARG_DEPENDS})
endfunction()

# mjolnir_add_tool(NAME sources... [LINK libs...])
function(mjolnir_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE mjolnir_compiler_options ${ARG_LINK} MLIR LLVM)
  add_dependencies(${name} mjolnir-headers)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()
