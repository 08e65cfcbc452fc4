// Reads arguments from JavaScript, and makes results and errors for it.

#include <stdio.h>
#include <uv.h>

#include "socket.h"

napi_value throwErrno(napi_env env, int error, const char* syscall) {
  char code[64], text[128];
  uv_err_name_r(-error, code, sizeof code);
  snprintf(text, sizeof text, "%s %s", syscall, code);
  napi_value message, name, number, call, result;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok ||
      napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &call) != napi_ok ||
      napi_create_int32(env, -error, &number) != napi_ok ||
      napi_create_error(env, name, message, &result) != napi_ok ||
      napi_set_named_property(env, result, "errno", number) != napi_ok ||
      napi_set_named_property(env, result, "syscall", call) != napi_ok) {
    return nullptr;
  }
  napi_throw(env, result);
  return nullptr;
}

bool throwType(napi_env env, const char* message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool throwRange(napi_env env, const char* message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return false;
}

bool readArguments(napi_env env, napi_callback_info info, size_t count, napi_value* values, napi_value* self) {
  return napi_get_cb_info(env, info, &count, values, self, nullptr) == napi_ok;
}

bool readArray(napi_env env, napi_value value, napi_typedarray_type type, const char* name, Array* array) {
  bool is = false;
  napi_typedarray_type actual;
  napi_is_typedarray(env, value, &is);
  const bool isRead =
      is && napi_get_typedarray_info(env, value, &actual, &array->length, &array->data, nullptr, nullptr) == napi_ok;
  return (isRead && actual == type) || throwType(env, name);
}

bool readInteger(napi_env env, napi_value value, double low, double high, const char* name, double* result) {
  if (napi_get_value_double(env, value, result) != napi_ok) return throwType(env, name);
  // False for NaN.
  const bool isBetween = *result >= low && *result <= high;
  return (isBetween && *result == static_cast<double>(static_cast<int64_t>(*result))) || throwRange(env, name);
}

napi_value toValue(napi_env env, uint32_t number) {
  napi_value value = nullptr;
  napi_create_uint32(env, number, &value);
  return value;
}

bool readSlab(napi_env env, napi_value* values, Array* slab, size_t* slot) {
  double size;
  if (!readArray(env, values[0], napi_uint8_array, "slab: a Uint8Array", slab)) return false;
  if (!readInteger(env, values[1], 1, 0x7fffffff, "slot: a positive integer", &size)) return false;
  *slot = static_cast<size_t>(size);
  return true;
}

bool fitsSlab(napi_env env, const Array& slab, size_t slot, size_t count) {
  return count <= slab.length / slot || throwRange(env, "slots beyond the slab");
}
