// The browser's storage, or nothing where it is barred: reading finds nothing,
// writing fails, and whoever writes says so.

const none: Storage = {
  length: 0,
  key: () => null,
  getItem: () => null,
  setItem: () => {
    throw new DOMException('storage is barred', 'SecurityError');
  },
  removeItem: () => {},
  clear: () => {},
};

function orNone(get: () => Storage): Storage {
  try {
    return get();
  } catch {
    return none;
  }
}

export const device = orNone(() => localStorage);
export const tab = orNone(() => sessionStorage);
