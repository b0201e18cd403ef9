# Configures and builds the runtime and its tools by themselves, with LLVM and MLIR out of reach, and looks at what the
# results need at run time.
#   cmake -DSOURCE=<runtime> -DWORK=<folder> -DGENERATOR=<CMake's> -DC_COMPILER=<compiler> -DCXX_COMPILER=<compiler>
#         -DLAUNCHER=<ccache or empty> -DREADELF=<readelf> -P RuntimeAloneTest.cmake
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV} returned ${code}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
# -O0: it is the build that is tested here, and the time counts.
run("${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${WORK}" -DCMAKE_BUILD_TYPE=Debug
  "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}"
  "-DCMAKE_C_COMPILER_LAUNCHER=${LAUNCHER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
  -DCMAKE_C_FLAGS_DEBUG=-O0 -DCMAKE_CXX_FLAGS_DEBUG=-O0
  -DMJOLNIR_RUNTIME_INSPECT=ON -DCMAKE_DISABLE_FIND_PACKAGE_LLVM=ON -DCMAKE_DISABLE_FIND_PACKAGE_MLIR=ON)
run("${CMAKE_COMMAND}" --build "${WORK}")

file(GLOB_RECURSE results "${WORK}/*.so" "${WORK}/mjolnir-run" "${WORK}/mjolnir-inspect")
list(LENGTH results count)
if(count LESS 4)
  message(FATAL_ERROR "expected two libraries and two tools in ${WORK}, found: ${results}")
endif()
foreach(result ${results})
  run("${READELF}" -d "${result}")
  if(output MATCHES "NEEDED[^\n]*(LLVM|MLIR|lld)")
    message(FATAL_ERROR "${result} needs LLVM:\n${output}")
  endif()
  if(NOT output MATCHES "NEEDED[^\n]*libc\\.so")
    message(FATAL_ERROR "${result}: readelf does not show what it needs:\n${output}")
  endif()
endforeach()
