# How others find the library: pkg-config, the CMake package Ouroboros (target Ouroboros::ouroboros), and two more link
# names, -louroboros-dev and -louroboros-irm, of programs that were written when it came in parts.
include(CMakePackageConfigHelpers)

set(O7S_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Ouroboros)
install(TARGETS ouroboros EXPORT OuroborosTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT OuroborosTargets NAMESPACE Ouroboros:: DESTINATION ${O7S_CMAKE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/OuroborosConfig.cmake.in OuroborosConfig.cmake
                              INSTALL_DESTINATION ${O7S_CMAKE_DIR})
write_basic_package_version_file(OuroborosConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/OuroborosConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/OuroborosConfigVersion.cmake DESTINATION ${O7S_CMAKE_DIR})

# The files say where they are relative to themselves, so that the tree can be moved.
file(RELATIVE_PATH O7S_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(O7S_PC_NAME ouroboros ouroboros-dev ouroboros-irm)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/ouroboros.pc.in ${O7S_PC_NAME}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${O7S_PC_NAME}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  if(NOT O7S_PC_NAME STREQUAL ouroboros)
    set(link ${CMAKE_CURRENT_BINARY_DIR}/lib${O7S_PC_NAME}.so)
    file(CREATE_LINK libouroboros.so ${link} SYMBOLIC)
    install(FILES ${link} DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()
