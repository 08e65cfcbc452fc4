// The addon's exports, its data per environment (the main thread or a Worker), and the cleanup hook. The hook is asynchronous, because
// the event loop must still run the close callbacks of poll handles.

#include <stdlib.h>

#include "socket.h"

Environment* environmentOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

void leave(Environment* environment) {
  napi_async_destroy(environment->env, environment->context);
  // After this call the environment may no longer exist.
  napi_remove_async_cleanup_hook(environment->hook);
}

static void onEnvironmentExit(napi_async_cleanup_hook_handle, void* data) {
  Environment* environment = static_cast<Environment*>(data);
  environment->leaving = true;
  closeAll(environment);
  if (environment->closing == 0) leave(environment);
}

static bool define(Environment* environment, napi_value exports) {
  napi_env env = environment->env;
  napi_property_descriptor properties[] = {
      {"openPacket", nullptr, openPacket, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"openNetlink", nullptr, openNetlink, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"openUnix", nullptr, openUnix, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_value name;
  return defineSocket(environment) && napi_define_properties(env, exports, 3, properties) == napi_ok &&
         napi_get_uv_event_loop(env, &environment->loop) == napi_ok &&
         napi_create_string_utf8(env, "ndp6d", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env, nullptr, name, &environment->context) == napi_ok &&
         napi_add_async_cleanup_hook(env, onEnvironmentExit, environment, &environment->hook) == napi_ok;
}

NAPI_MODULE_INIT() {
  Environment* environment = static_cast<Environment*>(calloc(1, sizeof(Environment)));
  if (environment == nullptr) return nullptr;
  environment->env = env;
  napi_set_instance_data(env, environment, [](napi_env, void* data, void*) { free(data); }, nullptr);
  if (define(environment, exports)) return exports;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, nullptr, "ndp6d: the addon cannot start");
  return nullptr;
}
