/* Reads the records of a Kafka record batch (version 2) into columns: one list for offsets, timestamps, keys, values and headers.

   What it reads comes from a network, so nothing in it is believed: no length, no count. Each read is checked against the end of
   its record, and each record against the end of the section. A lie is a ValueError, and the lists must not be used then.
   It also says whether all values are *plain*, so that nobody need look at each of them again.

   agents/stream/unpacking.py calls it, and has the same in Python for machines without a compiler. The form of a record:
   https://kafka.apache.org/documentation/#record. Only the stable ABI is used, so one build serves all releases of Python. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Headers are remembered by their bytes, because most records of a device have the same ones. Longer ones are not, and the
   memory is emptied at some size: devices choose what is in it. */
enum { REMEMBERED_BYTES_MAX = 512, REMEMBERED_MAX = 4096 };
/* [ and { differ in one bit. No other two characters become { with it. */
enum { BLOCK_BYTES = 128, BRACKETS_DIFFER = '[' ^ '{' };

typedef struct {
    const uint8_t *at, *end;
} Reading;

typedef struct {
    const uint8_t *bytes; /* NULL for null */
    Py_ssize_t size;
} Span;

static int refused(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return -1;
}

/* A zigzag varint of at most ten bytes, as Kafka writes all its numbers here. */
static int read_number(Reading *reading, int64_t *number)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (reading->at == reading->end)
            return refused("a number goes beyond the end");
        uint8_t byte = *reading->at++;
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *number = (int64_t)((bits >> 1) ^ (0 - (bits & 1)));
            return 0;
        }
    }
    return refused("a number has more than ten bytes");
}

/* A length and as many bytes. Kafka's own reader takes each negative length for null. */
static int read_span(Reading *reading, Span *span)
{
    int64_t size;
    if (read_number(reading, &size) < 0)
        return -1;
    if (size > reading->end - reading->at)
        return refused("a length goes beyond the end");
    span->bytes = size < 0 ? NULL : reading->at;
    span->size = size < 0 ? 0 : (Py_ssize_t)size;
    reading->at += span->size;
    return 0;
}

static PyObject *object_of(Span span)
{
    if (span.bytes == NULL)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)span.bytes, span.size);
}

/* Append to a list, which takes the object over. */
static int append(PyObject *list, PyObject *object)
{
    if (object == NULL)
        return -1;
    int status = PyList_Append(list, object);
    Py_DECREF(object);
    return status;
}

static PyObject *read_header(Reading *reading)
{
    Span name, value;
    if (read_span(reading, &name) < 0)
        return NULL;
    if (name.bytes == NULL) {
        refused("a header has no name");
        return NULL;
    }
    if (read_span(reading, &value) < 0)
        return NULL;
    PyObject *text = PyUnicode_DecodeUTF8((const char *)name.bytes, name.size, NULL);
    if (text == NULL)
        return NULL; /* UnicodeDecodeError, which is a ValueError */
    PyUnicode_InternInPlace(&text);
    PyObject *bytes = object_of(value);
    PyObject *pair = bytes == NULL ? NULL : PyTuple_Pack(2, text, bytes);
    Py_DECREF(text);
    Py_XDECREF(bytes);
    return pair;
}

/* The tuple of a record's headers, which are all that is left of it. */
static PyObject *read_headers(Reading *reading)
{
    int64_t count;
    if (read_number(reading, &count) < 0)
        return NULL;
    if (count < 0 || count > (reading->end - reading->at) / 2) { /* each takes two bytes at least */
        refused("the number of headers is wrong");
        return NULL;
    }
    PyObject *headers = PyTuple_New((Py_ssize_t)count);
    for (Py_ssize_t number = 0; headers != NULL && number < count; number++) {
        PyObject *pair = read_header(reading);
        if (pair == NULL || PyTuple_SetItem(headers, number, pair) < 0)
            Py_CLEAR(headers);
    }
    if (headers != NULL && reading->at != reading->end) {
        refused("a record is longer than what is in it");
        Py_CLEAR(headers);
    }
    return headers;
}

/* The same, from the memory `known` if they are there. Returns a new reference. */
static PyObject *headers_of(Reading *reading, PyObject *known)
{
    Py_ssize_t size = reading->end - reading->at;
    if (size > REMEMBERED_BYTES_MAX)
        return read_headers(reading);
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)reading->at, size);
    if (bytes == NULL)
        return NULL;
    PyObject *headers = PyDict_GetItemWithError(known, bytes);
    if (headers != NULL) {
        Py_INCREF(headers);
        reading->at = reading->end;
    } else if (!PyErr_Occurred() && (headers = read_headers(reading)) != NULL) {
        if (PyDict_Size(known) >= REMEMBERED_MAX)
            PyDict_Clear(known);
        if (PyDict_SetItem(known, bytes, headers) < 0)
            Py_CLEAR(headers);
    }
    Py_DECREF(bytes);
    return headers;
}

/* The bytes of the values of headers, or -1. */
static Py_ssize_t size_of(PyObject *headers)
{
    Py_ssize_t size = 0, count = PyTuple_Size(headers);
    for (Py_ssize_t number = 0; number < count; number++) {
        PyObject *value = PyTuple_GetItem(PyTuple_GetItem(headers, number), 1);
        size += value == Py_None ? 0 : PyBytes_Size(value);
    }
    return PyErr_Occurred() ? -1 : size;
}

/* Whether a value is UTF-8, and has at most so many opening brackets. Compilers make a few instructions of each block. */
static int is_plain(Span value, Py_ssize_t brackets_max)
{
    const uint8_t *at = value.bytes;
    Py_ssize_t left = value.size, brackets = 0;
    uint8_t high = 0;
    for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, at += BLOCK_BYTES) {
        uint8_t found = 0;
        for (int number = 0; number < BLOCK_BYTES; number++) {
            high |= at[number];
            found += (at[number] | BRACKETS_DIFFER) == '{';
        }
        brackets += found;
    }
    for (; left > 0; left--, at++) {
        high |= *at;
        brackets += (*at | BRACKETS_DIFFER) == '{';
    }
    if (brackets > brackets_max)
        return 0;
    if (high < 0x80)
        return 1;
    PyObject *text = PyUnicode_DecodeUTF8((const char *)value.bytes, value.size, NULL);
    PyErr_Clear();
    Py_XDECREF(text);
    return text != NULL;
}

typedef struct {
    int64_t base_offset, base_timestamp, next_offset; /* records before `next_offset` are left out */
    int appended; /* whether the broker gave all records one timestamp, which is `base_timestamp` */
    int plain;
    Py_ssize_t size_bytes, brackets_max;
    PyObject *offsets, *timestamps, *keys, *values, *headers, *known;
    int64_t last_timestamp;
    PyObject *timestamp; /* the object for `last_timestamp`: many records have the same */
} Unpacking;

static PyObject *timestamp_of(Unpacking *to, int64_t timestamp)
{
    if (to->timestamp == NULL || to->last_timestamp != timestamp) {
        Py_XDECREF(to->timestamp);
        to->timestamp = PyLong_FromLongLong(timestamp);
        to->last_timestamp = timestamp;
    }
    Py_XINCREF(to->timestamp);
    return to->timestamp;
}

/* Read one record. Returns 1 if its offset is wanted, 0 if not. */
static int read_record(Reading *section, Unpacking *to)
{
    int64_t length, attributes, timestamp, offset;
    Span key, value;
    if (read_number(section, &length) < 0)
        return -1;
    if (length < 1 || length > section->end - section->at)
        return refused("the length of a record is wrong");
    Reading record = {section->at, section->at + length};
    if (read_number(&record, &attributes) < 0) /* none is in use; aiokafka too reads them as a number */
        return -1;
    if (read_number(&record, &timestamp) < 0 || read_number(&record, &offset) < 0)
        return -1;
    if (read_span(&record, &key) < 0 || read_span(&record, &value) < 0)
        return -1;
    PyObject *headers = headers_of(&record, to->known);
    if (headers == NULL)
        return -1;
    section->at = record.end;
    offset = (int64_t)((uint64_t)to->base_offset + (uint64_t)offset);
    if (offset < to->next_offset) {
        Py_DECREF(headers);
        return 0;
    }
    timestamp = to->appended ? to->base_timestamp : (int64_t)((uint64_t)to->base_timestamp + (uint64_t)timestamp);
    Py_ssize_t of_headers = size_of(headers);
    if (append(to->headers, headers) < 0 || of_headers < 0)
        return -1;
    if (append(to->offsets, PyLong_FromLongLong(offset)) < 0 || append(to->timestamps, timestamp_of(to, timestamp)) < 0)
        return -1;
    if (append(to->keys, object_of(key)) < 0 || append(to->values, object_of(value)) < 0)
        return -1;
    to->plain = to->plain && is_plain(value, to->brackets_max);
    to->next_offset = (int64_t)((uint64_t)offset + 1);
    to->size_bytes += key.size + value.size + of_headers;
    return 1;
}

PyDoc_STRVAR(unpack_doc,
"unpack(section, begin, count, base_offset, base_timestamp, appended, next_offset, records_max, bytes_max, brackets_max, columns,"
" known)\n"
"--\n\n"
"Append the next records of a section, from byte `begin` on, to the five lists in `columns`.\n\n"
"`count` records are left in the section. Ends after `records_max` of them are wanted, or have `bytes_max` bytes.\n"
"Returns the byte to begin with next time, how many records are left then, the bytes of keys, values and headers, and whether\n"
"all values are UTF-8 (or null) with at most `brackets_max` opening brackets in each.\n"
"Raises ValueError for bytes that are not a record, and for those behind the last one. `known` is a memory for headers.");

static PyObject *unpack(PyObject *module, PyObject *arguments)
{
    Py_buffer section;
    Py_ssize_t begin, records_max, bytes_max;
    long long count, base_offset, base_timestamp, next_offset;
    Unpacking to = {.plain = 1};
    if (!PyArg_ParseTuple(arguments, "y*nLLLpLnnn(O!O!O!O!O!)O!", &section, &begin, &count, &base_offset, &base_timestamp,
                          &to.appended, &next_offset, &records_max, &bytes_max, &to.brackets_max, &PyList_Type, &to.offsets,
                          &PyList_Type, &to.timestamps, &PyList_Type, &to.keys, &PyList_Type, &to.values, &PyList_Type,
                          &to.headers, &PyDict_Type, &to.known))
        return NULL;
    PyObject *found = NULL;
    if (begin < 0 || begin > section.len) {
        refused("the section ends before its next record");
        goto done;
    }
    to.base_offset = base_offset;
    to.base_timestamp = base_timestamp;
    to.next_offset = next_offset;
    const uint8_t *bytes = section.buf;
    Reading reading = {bytes + begin, bytes + section.len};
    for (Py_ssize_t records = 0; count > 0 && records < records_max && to.size_bytes < bytes_max; count--) {
        int wanted = read_record(&reading, &to);
        if (wanted < 0)
            goto done;
        records += wanted;
    }
    if (count <= 0 && reading.at != reading.end) {
        refused("bytes follow the last record");
        goto done;
    }
    found = Py_BuildValue("nLnO", (Py_ssize_t)(reading.at - bytes), count > 0 ? count : 0, to.size_bytes,
                          to.plain ? Py_True : Py_False);
done:
    Py_XDECREF(to.timestamp);
    PyBuffer_Release(&section);
    return found;
}

static PyMethodDef methods[] = {{"unpack", unpack, METH_VARARGS, unpack_doc}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_records", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__records(void)
{
    return PyModuleDef_Init(&definition);
}
