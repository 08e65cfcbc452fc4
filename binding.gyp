{
  "targets": [
    {
      "target_name": "ndp6d",
      "sources": ["native/addon.cc", "native/socket.cc", "native/open.cc", "native/receive.cc", "native/send.cc", "native/ring.cc", "native/values.cc"],
      "defines": ["NAPI_VERSION=8", "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-fno-exceptions", "-fno-rtti"],
      "ldflags": ["-nodefaultlibs"],
      "libraries": ["-lgcc", "-lc"]
    }
  ]
}
