import { Component, type ComponentType, type VNode, createElement } from 'preact';

/** A component that is drawn again only if its properties differ. */
export function memo<P extends object>(render: ComponentType<P>, same: (a: P, b: P) => boolean): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return !same(this.props as P, next);
    }
    override render(): VNode {
      return createElement(render as ComponentType, this.props);
    }
  } as unknown as ComponentType<P>;
}
